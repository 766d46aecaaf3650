package main

import (
	"context"

	"imageferry/internal/restore"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// A restoreListing is what list --restores prints.
type restoreListing struct {
	Restores []*restore.Record `json:"restores"`
	// Unreadable are the restores whose journal cannot be read.
	Unreadable []unreadableRestore `json:"unreadable,omitempty"`
}

type unreadableRestore struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// listRestores prints the restores of the region.
func (s *session) listRestores(ctx context.Context, asJSON bool) error {
	all, err := s.restores().List(ctx)
	if err != nil {
		return err
	}
	listing := restoreListing{Restores: []*restore.Record{}}
	for _, l := range all {
		if l.Err != nil {
			listing.Unreadable = append(listing.Unreadable, unreadableRestore{l.Name, words.Safe(l.Err.Error())})
		} else {
			listing.Restores = append(listing.Restores, l.Record)
		}
	}
	if asJSON {
		return s.printJSON(listing)
	}
	if len(all) == 0 {
		return s.printf("No restores.\n")
	}
	var rows [][]terminal.Cell
	for _, r := range listing.Restores {
		rows = append(rows, s.restoreRow(r))
	}
	for _, u := range listing.Unreadable {
		rows = append(rows, []terminal.Cell{{Text: u.Name}, stateCell("unreadable"), {}, {}, {}, {Text: u.Error}})
	}
	return s.table(restoreHeading(), rows)
}

// printAtWork prints the restores that have not ended, if there are some. That they cannot be read takes nothing from a list of
// exports.
func (s *session) printAtWork(ctx context.Context) error {
	records, err := s.restores().AtWork(ctx)
	if err != nil {
		s.note("imageferry: restores are not shown: %s", words.Safe(err.Error()))
		return nil
	}
	if len(records) == 0 {
		return nil
	}
	if err := s.printf("\nRestores at work:\n"); err != nil {
		return err
	}
	var rows [][]terminal.Cell
	for _, r := range records {
		rows = append(rows, s.restoreRow(r))
	}
	return s.table(restoreHeading(), rows)
}
