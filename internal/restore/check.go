package restore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/unpack"
)

// Check compares bucket and objects with the plan, and adds what speaks against it to its problems. Nothing is written.
func (r *Restorer) Check(ctx context.Context, p *Plan) {
	if len(p.Transfers) > 0 {
		return // what is in another region is for somebody else to look at
	}
	for _, bad := range r.check(ctx, p.Disks) {
		p.Problems = append(p.Problems, Problem{Reason: bad.Code, Remedy: bad.Remedy, Detail: bad.detail})
	}
	if !ValidName(p.Name) {
		return
	}
	switch image, taken, err := r.Images.Named(ctx, p.Name); {
	case err != nil:
		bad := explain(err, ecsUnavailable)
		p.Problems = append(p.Problems, Problem{Reason: bad.Code, Remedy: bad.Remedy, Detail: bad.detail})
	case taken && !r.known(ctx, p.Name, image.ID):
		p.Problems = append(p.Problems, Problem{Reason: nameTaken, Remedy: reasons[nameTaken].Remedy, Detail: "image " + image.ID + " has the name " + p.Name})
	}
}

// known tells whether the journal knows the image as one that is being made under its name, so that it is in nobody's way.
func (r *Restorer) known(ctx context.Context, name, imageID string) bool {
	head, err := r.journal.Head(ctx, r.settings.Region, name)
	return err == nil && !head.State.Terminal() && head.Image != nil && head.Image.ID == imageID
}

// check is what speaks against importing these objects.
func (r *Restorer) check(ctx context.Context, disks []Disk) []*finding {
	seen := map[string]bool{}
	for _, d := range disks {
		if seen[d.Source.Bucket] {
			continue
		}
		seen[d.Source.Bucket] = true
		if bad := r.checkBucket(ctx, d.Source.Bucket); bad != nil {
			return []*finding{bad}
		}
	}
	each := make([]*finding, len(disks))
	var g errgroup.Group
	g.SetLimit(4)
	for i, d := range disks {
		g.Go(func() error { each[i] = r.checkObject(ctx, d); return nil })
	}
	_ = g.Wait()
	var all []*finding
	for _, bad := range each {
		if bad != nil {
			all = append(all, bad)
		}
	}
	return all
}

func (r *Restorer) checkBucket(ctx context.Context, name string) *finding {
	b, ok, err := r.Objects.Bucket(ctx, name)
	if err != nil {
		return explain(err, ossUnavailable)
	}
	switch {
	case !ok:
		return found(bucketMissing, "there is no bucket "+name)
	case b.Location != "" && b.Location != "oss-"+r.settings.Region:
		return found(objectsElsewhere, fmt.Sprintf("bucket %s is in %s, the image is to be in %s", name, b.Location, r.settings.Region))
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
