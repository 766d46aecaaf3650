package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/export"
	"imageferry/internal/unpack"
)

// Check compares bucket and objects with the plan, and adds what speaks against it to its problems, and what somebody has to copy
// to its transfers. Nothing is written.
func (r *Restorer) Check(ctx context.Context, p *Plan) {
	if len(p.Transfers) == 0 { // otherwise nobody has said where copies are
		r.checkObjects(ctx, p)
	}
	if !ValidName(p.Name) {
		return
	}
	switch image, taken, err := r.Images.Named(ctx, p.Name); {
	case err != nil:
		p.refuse(explain(err, ecsUnavailable))
	case taken && !r.known(ctx, p.Name, image.ID):
		p.refuse(found(nameTaken, "image "+image.ID+" has the name "+p.Name))
	}
}

// JournalElsewhere is the problem that the bucket of the restores' journal is in another region than they are; nil when it is not,
// and when that cannot be found out, because whatever reads the journal then says what is wrong.
func (r *Restorer) JournalElsewhere(ctx context.Context, bucket string) *Problem {
	b, there, err := r.Objects.Bucket(ctx, bucket)
	detail := ""
	switch {
	case ofAnotherRegion(err):
		detail = fmt.Sprintf("bucket %s of the journal cannot be reached from %s: %s", bucket, r.settings.Region, err)
	case err == nil && there && b.Location != "" && b.Location != "oss-"+r.settings.Region:
		detail = fmt.Sprintf("bucket %s of the journal is in %s, the image is to be in %s", bucket, strings.TrimPrefix(b.Location, "oss-"), r.settings.Region)
	default:
		return nil
	}
	return &Problem{Reason: journalElsewhere, Remedy: reasons[journalElsewhere].Remedy, Detail: detail}
}

// ofAnotherRegion tells whether OSS refused the region in a signature: it was asked at the endpoint of another one. Guess: a question
// about a bucket has nothing else that OSS calls an argument.
func ofAnotherRegion(err error) bool {
	call, ok := errors.AsType[*export.CallError](err)
	return ok && call.Code == "InvalidArgument"
}

// known tells whether the journal knows the image as one that is being made under its name, so that it is in nobody's way.
func (r *Restorer) known(ctx context.Context, name, imageID string) bool {
	head, err := r.journal.Head(ctx, r.settings.Region, name)
	return err == nil && !head.State.Terminal() && head.Image != nil && head.Image.ID == imageID
}

// checkObjects looks at what the plan imports. What can be copied is a transfer.
func (r *Restorer) checkObjects(ctx context.Context, p *Plan) {
	if bad := r.checkBuckets(ctx, p.Disks); bad != nil {
		p.refuse(bad)
		switch {
		case bad.Code == bucketMissing && p.moved:
			p.transferAll(p.Bucket)
		case bad.Code == objectsElsewhere, bad.Code == bucketForeign, bad.Code == bucketEncrypted:
			p.transferAll("")
		}
		return
	}
	for i, bad := range r.checkEach(ctx, p.Disks) {
		if bad == nil {
			continue
		}
		if p.moved && (bad.Code == objectMissing || bad.Code == objectChanged) {
			p.transfer(i, p.Bucket)
		}
		if p.abroad() && bad.Code == objectMissing {
			bad = found(objectsElsewhere, bad.detail+" yet")
		}
		p.refuse(bad)
	}
}

func (p *Plan) refuse(bad *finding) {
	p.Problems = append(p.Problems, Problem{Reason: bad.Code, Remedy: bad.Remedy, Detail: bad.detail})
}

// check is what speaks against importing these objects.
func (r *Restorer) check(ctx context.Context, disks []Disk) []*finding {
	if bad := r.checkBuckets(ctx, disks); bad != nil {
		return []*finding{bad}
	}
	return slices.DeleteFunc(r.checkEach(ctx, disks), func(bad *finding) bool { return bad == nil })
}

// checkBuckets looks at each bucket once.
func (r *Restorer) checkBuckets(ctx context.Context, disks []Disk) *finding {
	seen := map[string]bool{}
	for _, d := range disks {
		if seen[d.Source.Bucket] {
			continue
		}
		seen[d.Source.Bucket] = true
		if bad := r.checkBucket(ctx, d.Source.Bucket); bad != nil {
			return bad
		}
	}
	return nil
}

// checkEach looks at the object of each disk; nil where nothing is wrong.
func (r *Restorer) checkEach(ctx context.Context, disks []Disk) []*finding {
	each := make([]*finding, len(disks))
	var g errgroup.Group
	g.SetLimit(4)
	for i, d := range disks {
		g.Go(func() error { each[i] = r.checkObject(ctx, d); return nil })
	}
	_ = g.Wait()
	return each
}

func (r *Restorer) checkBucket(ctx context.Context, name string) *finding {
	b, ok, err := r.Objects.Bucket(ctx, name)
	switch {
	case ofAnotherRegion(err):
		return found(objectsElsewhere, fmt.Sprintf("bucket %s cannot be reached from %s: %s", name, r.settings.Region, err))
	case err != nil:
		return explain(err, ossUnavailable)
	case !ok:
		return found(bucketMissing, "there is no bucket "+name)
	case b.Location != "" && b.Location != "oss-"+r.settings.Region:
		return found(objectsElsewhere, fmt.Sprintf("bucket %s is in %s, the image is to be in %s",
			name, strings.TrimPrefix(b.Location, "oss-"), r.settings.Region))
	case b.OwnerID != "" && r.settings.AccountID != "" && b.OwnerID != r.settings.AccountID:
		return found(bucketForeign, fmt.Sprintf("bucket %s belongs to account %s", name, b.OwnerID))
	case b.SSEAlgorithm != "":
		return found(bucketEncrypted, fmt.Sprintf("bucket %s encrypts with %s", name, b.SSEAlgorithm))
	}
	return nil
}

// checkObject compares an object with the manifest. What it is, its bytes tell.
func (r *Restorer) checkObject(ctx context.Context, d Disk) *finding {
	o := d.Source
	name := o.Bucket + "/" + o.Key
	info, ok, err := r.Objects.Object(ctx, o.Bucket, o.Key)
	switch {
	case err != nil:
		return explain(err, ossUnavailable)
	case !ok:
		return found(objectMissing, name+" is not there")
	case info.Size != o.Size:
		return found(objectChanged, fmt.Sprintf("%s has %d bytes, the manifest says %d", name, info.Size, o.Size))
	case o.CRC64 != "" && info.CRC64 != "" && info.CRC64 != o.CRC64:
		return found(objectChanged, fmt.Sprintf("%s has the CRC-64 %s, the manifest says %s", name, info.CRC64, o.CRC64))
	case o.CRC64 == "" && o.ETag != "" && info.ETag != o.ETag:
		return found(objectChanged, fmt.Sprintf("%s has the ETag %s, the manifest says %s", name, info.ETag, o.ETag))
	}
	format, _, err := r.unpacker(d.Source.Bucket, nil).Inspect(ctx, source(d))
	if err != nil {
		// One of an archive class can be read for some days after it was restored there.
		if strings.Contains(info.StorageClass, "Archive") {
			return found(objectArchived, name+" is of storage class "+info.StorageClass)
		}
		return explain(err, ossUnavailable)
	}
	if format.Archive() != (d.Work == Unpack) || d.Work != Unpack && string(format) != d.Format {
		return found(objectContent, fmt.Sprintf("%s begins as %s, the manifest says %s", name, format, o.Content))
	}
	return nil
}

// unpacker works within one bucket: what is made of an object lies beside it, because nothing copies between regions, and
// little between buckets.
func (r *Restorer) unpacker(bucket string, watch func(unpack.Progress)) *unpack.Unpacker {
	store := r.Bucket(bucket)
	return unpack.New(store, store, unpack.Options{Progress: watch})
}

// source is the object of a disk as package unpack knows it. An object that was written again with the same bytes has another
// ETag, so where there is a checksum it decides.
func source(d Disk) unpack.Source {
	s := unpack.Source{Bucket: d.Source.Bucket, Key: d.Source.Key, ETag: d.Source.ETag, Size: d.Source.Size}
	if crc, err := strconv.ParseUint(d.Source.CRC64, 10, 64); err == nil {
		s.CRC64, s.ETag = &crc, ""
	}
	return s
}
