package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// A Problem is one thing that is wrong with one variable.
type Problem struct {
	Variable string
	Wrong    string // such as: "tar" is not one of the formats
	Allowed  string // what would be right, or what to do
}

func (p Problem) Error() string { return p.Variable + ": " + p.Wrong + "; allowed: " + p.Allowed }

// Problems is everything that is wrong, sorted by variable.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	if len(lines) == 1 {
		return "invalid configuration: " + lines[0]
	}
	return fmt.Sprintf("invalid configuration, %d problems:\n  %s", len(lines), strings.Join(lines, "\n  "))
}

func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Variable, b.Variable) })
	return p
}

// unreadable translates the parser's errors, which name Go's fields and types.
func unreadable(err error, environ map[string]string) Problems {
	var problems Problems
	many, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return nil
	}
	for _, one := range many.Errors {
		wrong, ok := errors.AsType[env.ParseError](one)
		if !ok {
			continue
		}
		for _, v := range Variables() {
			if v.field != wrong.Name {
				continue
			}
			told, ok := errors.AsType[mistakes](wrong.Err)
			if !ok {
				told = mistakes{fmt.Sprintf("%q is not understood", environ[v.Name])}
			}
			for _, what := range told {
				problems = append(problems, Problem{v.Name, what, v.Allowed})
			}
		}
	}
	return problems
}

// unknown finds variables that have our prefix and a name that we do not know: most are misspelt.
func unknown(environ map[string]string) Problems {
	var problems Problems
	variables := Variables()
	for name := range environ {
		if slices.ContainsFunc(variables, func(v Variable) bool { return v.Name == name }) {
			continue
		}
		nearest := slices.MinFunc(variables, func(a, b Variable) int {
			return cmp.Compare(distance(name, a.Name), distance(name, b.Name))
		})
		problems = append(problems, Problem{fmt.Sprintf("%.100s", name), "is not known", nearest.Name + " is the nearest name"})
	}
	return problems
}

// debugging finds the switch that makes the ECS SDK print every request with its token.
func debugging(environ map[string]string) Problems {
	if slices.Contains(strings.Split(environ["DEBUG"], ","), "sdk") {
		return Problems{{"DEBUG", "has sdk in it, which makes the ECS SDK print credentials", "anything else"}}
	}
	return nil
}

// distance is the number of single characters to insert, remove or replace between a and b (Levenshtein).
func distance(a, b string) int {
	a = a[:min(len(a), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal
			} else {
				row[j+1] = 1 + min(diagonal, above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
