package restore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"imageferry/internal/manifest"
	"imageferry/internal/words"
)

// A Transfer is an object that somebody has to copy before the restore: OSS copies nothing between regions, and ECS reads no
// buckets of other accounts.
type Transfer struct {
	From  Place  `json:"from"`
	To    Place  `json:"to"`
	Size  int64  `json:"size"`
	CRC64 string `json:"crc64,omitempty"`
	// Command copies it with ossutil 2; empty as long as nobody has named a bucket for it.
	Command string `json:"command,omitempty"`
}

// A Place is where an object is.
type Place struct {
	Region string `json:"region"`
	Bucket string `json:"bucket,omitempty"` // empty: one that is still to be named
	Key    string `json:"key"`
}

// abroad tells whether the objects were exported to another region than the one that the image is restored to.
func (p *Plan) abroad() bool { return p.Source.Destination.Region != p.Region }

// originals are the objects as the manifest has them, each in the place of its disk.
func (p *Plan) originals() []manifest.Object {
	objects := slices.Clone(p.Source.Objects)
	slices.SortStableFunc(objects, byPlace)
	return objects
}

// transferAll has every object copied to a bucket, or, when it has no name, to one that somebody has to name.
func (p *Plan) transferAll(bucket string) {
	for i := range p.Source.Objects {
		p.transfer(i, bucket)
	}
}

// transfer has the object of a disk copied to a bucket.
func (p *Plan) transfer(disk int, bucket string) {
	o := p.originals()[disk]
	t := Transfer{
		From: Place{Region: p.Source.Destination.Region, Bucket: cmp.Or(o.Bucket, p.Source.Destination.Bucket), Key: o.Key},
		To:   Place{Region: p.Region, Bucket: bucket, Key: o.Key},
		Size: o.Size, CRC64: o.CRC64,
	}
	t.Command = t.command(p.foreign)
	p.Transfers = append(p.Transfers, t)
}

// command lets OSS copy within a region and an account. Anything else goes through the machine that runs it: "cross-account and
// cross-region copy operations are not supported" by ossutil cp. What is cut off on the way, the check of the copy finds.
func (t Transfer) command(foreign bool) string {
	from, to := "oss://"+t.From.Bucket+"/"+t.From.Key, "oss://"+t.To.Bucket+"/"+t.To.Key
	if t.To.Bucket == "" || strings.ContainsFunc(from+to, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return ""
	}
	if t.From.Region == t.To.Region && !foreign {
		return fmt.Sprintf("ossutil cp %s %s --region %s", words.Shell(from), words.Shell(to), words.Shell(t.To.Region))
	}
	command := fmt.Sprintf("ossutil cp %s - --region %s | ossutil cp - %s --region %s", words.Shell(from), words.Shell(t.From.Region),
		words.Shell(to), words.Shell(t.To.Region))
	if t.Size > smallStream {
		command += fmt.Sprintf(" --part-size %dM", (t.Size/streamParts)>>20+1)
	}
	return command
}

// OSS takes 10,000 parts, and ossutil cannot see the size of what it reads from a pipe. Guess: up to smallStream the parts that
// it makes by itself are large enough.
const (
	smallStream = 16 << 30
	streamParts = 9000
)
