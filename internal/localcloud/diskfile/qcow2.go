package diskfile

import (
	"encoding/binary"
	"fmt"

	"imageferry/internal/localcloud/content"
)

// The layout of QCOW2 as its specification in the QEMU project documents it.
const (
	qcowMagic       = "QFI\xfb"
	qcowVersion     = 3
	qcowHeader      = 104 // bytes of a header of version 3
	qcowBits        = 16  // clusters of 64 KiB
	qcowCluster     = 1 << qcowBits
	qcowEntries     = qcowCluster / 8 // of a table of the second level
	qcowRefcounts   = qcowCluster / 2 // in a block, of 16 bits each
	qcowCopied      = 1 << 63         // this cluster has one reference
	qcowCompressed  = 1 << 62
	qcowAllZero     = 1
	qcowOffsetMask  = 0x00fffffffffffe00
	qcowMinBits     = 9
	qcowMaxBits     = 21
	qcowDirtyOnly   = 1 // the incompatible feature that only asks for a check of the reference counts
	qcowMaxL1Length = 1 << 22
)

// encodeQCOW2 writes a file of version 3 in which only clusters with data take space: the header, the reference counts, the
// tables of both levels, the data.
func encodeQCOW2(disk content.Content) content.Content {
	clusters := dataClusters(disk)
	l1 := make([]uint64, ceil(disk.Size(), qcowCluster*qcowEntries))
	tables := map[int64][]uint64{} // by index in l1
	var order []int64
	for _, n := range clusters {
		if at := n / qcowEntries; tables[at] == nil {
			tables[at] = make([]uint64, qcowEntries)
			order = append(order, at)
		}
	}
	l1Clusters := max(1, ceil(int64(len(l1))*8, qcowCluster))
	used := 1 + l1Clusters + int64(len(order)+len(clusters))
	blocks, directory := refcountClusters(used)
	next := 1 + directory + blocks // the first cluster behind the reference counts
	l1Offset := next * qcowCluster
	next += l1Clusters
	for _, at := range order {
		l1[at] = uint64(next)*qcowCluster | qcowCopied
		next++
	}
	data := make([]content.Content, 0, len(clusters))
	for _, n := range clusters {
		tables[n/qcowEntries][n%qcowEntries] = uint64(next)*qcowCluster | qcowCopied
		next++
		data = append(data, padded(disk.Slice(n*qcowCluster, min((n+1)*qcowCluster, disk.Size())), qcowCluster))
	}

	parts := []content.Content{
		padded(content.Of(qcowHead(disk.Size(), len(l1), l1Offset, directory)), qcowCluster),
		padded(words64(refcountTable(directory, blocks)), directory*qcowCluster),
		padded(refcounts(next), blocks*qcowCluster),
		padded(words64(l1), l1Clusters*qcowCluster),
	}
	for _, at := range order {
		parts = append(parts, words64(tables[at]))
	}
	return content.Join(append(parts, data...)...)
}

// dataClusters are the numbers of the clusters that hold anything but a long run of zeros, in order.
func dataClusters(disk content.Content) []int64 {
	var list []int64
	var at int64
	for data, size := range disk.Parts {
		if data != nil {
			for n := at / qcowCluster; n*qcowCluster < at+size; n++ {
				if len(list) == 0 || list[len(list)-1] < n {
					list = append(list, n)
				}
			}
		}
		at += size
	}
	return list
}

// refcountClusters is how many clusters the blocks of reference counts and their directory take, for themselves, too.
func refcountClusters(used int64) (blocks, directory int64) {
	blocks, directory = 1, 1
	for blocks*qcowRefcounts < used+blocks+directory {
		blocks++
		directory = ceil(blocks*8, qcowCluster)
	}
	return blocks, directory
}

func refcountTable(directory, blocks int64) []uint64 {
	table := make([]uint64, blocks)
	for n := range table {
		table[n] = uint64(1+directory+int64(n)) * qcowCluster
	}
	return table
}

// refcounts are as many counts of 1 as there are clusters.
func refcounts(clusters int64) content.Content {
	counts := make([]byte, 2*clusters)
	for n := 1; n < len(counts); n += 2 {
		counts[n] = 1
	}
	return content.Of(counts)
}

func qcowHead(size int64, l1Length int, l1Offset, directory int64) []byte {
	h := make([]byte, qcowHeader)
	copy(h, qcowMagic)
	big := binary.BigEndian
	big.PutUint32(h[4:], qcowVersion)
	big.PutUint32(h[20:], qcowBits)
	big.PutUint64(h[24:], uint64(size))
	big.PutUint32(h[36:], uint32(l1Length))
	big.PutUint64(h[40:], uint64(l1Offset))
	big.PutUint64(h[48:], qcowCluster) // the directory of the reference counts
	big.PutUint32(h[56:], uint32(directory))
	big.PutUint32(h[96:], 4) // reference counts of 2⁴ bits
	big.PutUint32(h[100:], qcowHeader)
	return h
}

// decodeQCOW2 reads a file of version 2 or 3 without backing file, encryption, compression or external data.
func decodeQCOW2(file content.Content) (content.Content, error) {
	h, ok := read(file, 0, 72)
	if !ok {
		return content.Content{}, fmt.Errorf("%w: it has no header", ErrTruncated)
	}
	big := binary.BigEndian
	version, bits := big.Uint32(h[4:]), big.Uint32(h[20:])
	size, l1Length := big.Uint64(h[24:]), big.Uint32(h[36:])
	switch {
	case version != 2 && version != qcowVersion:
		return content.Content{}, fmt.Errorf("%w: version %d", ErrUnsupported, version)
	case big.Uint64(h[8:]) != 0:
		return content.Content{}, fmt.Errorf("%w: a backing file", ErrUnsupported)
	case big.Uint32(h[32:]) != 0:
		return content.Content{}, fmt.Errorf("%w: encryption", ErrUnsupported)
	case bits < qcowMinBits || bits > qcowMaxBits:
		return content.Content{}, fmt.Errorf("%w: clusters of 2^%d bytes", ErrFormat, bits)
	case size > maxDisk || l1Length > qcowMaxL1Length:
		return content.Content{}, fmt.Errorf("%w: a disk of %d bytes", ErrUnsupported, size)
	}
	if version == qcowVersion {
		features, ok := read(file, 72, 8)
		if !ok || big.Uint64(features)&^qcowDirtyOnly != 0 {
			return content.Content{}, fmt.Errorf("%w: an incompatible feature", ErrUnsupported)
		}
	}
	r := qcowReader{file: file, cluster: 1 << bits}
	return r.disk(int64(size), int64(big.Uint64(h[40:])), int64(l1Length))
}

type qcowReader struct {
	file    content.Content
	cluster int64
	parts   []content.Content
	done    int64 // bytes of the disk in parts
}

// disk follows the table of the first level.
func (r *qcowReader) disk(size, l1Offset, l1Length int64) (content.Content, error) {
	span := r.cluster * r.cluster / 8 // of the disk, by entry
	if l1Length < ceil(size, span) {
		return content.Content{}, fmt.Errorf("%w: the first table is too short", ErrFormat)
	}
	table, ok := read(r.file, l1Offset, int(l1Length)*8)
	if !ok {
		return content.Content{}, fmt.Errorf("%w: within the first table", ErrTruncated)
	}
	for n := int64(0); r.done < size; n++ {
		offset := binary.BigEndian.Uint64(table[n*8:]) & qcowOffsetMask
		if offset == 0 {
			r.add(content.Zeros(min(span, size-r.done)))
			continue
		}
		if err := r.second(int64(offset), size); err != nil {
			return content.Content{}, err
		}
	}
	return content.Join(r.parts...), nil
}

func (r *qcowReader) add(c content.Content) {
	r.parts = append(r.parts, c)
	r.done += c.Size()
}

// second follows a table of the second level.
func (r *qcowReader) second(at, size int64) error {
	table, ok := read(r.file, at, int(r.cluster))
	if !ok {
		return fmt.Errorf("%w: within a second table", ErrTruncated)
	}
	for ; len(table) > 0 && r.done < size; table = table[8:] {
		entry := binary.BigEndian.Uint64(table)
		length := min(r.cluster, size-r.done)
		offset := int64(entry & qcowOffsetMask)
		switch {
		case entry&qcowCompressed != 0:
			return fmt.Errorf("%w: a compressed cluster", ErrUnsupported)
		case offset == 0 || entry&qcowAllZero != 0:
			r.add(content.Zeros(length))
		case offset > r.file.Size()-length:
			return fmt.Errorf("%w: cluster at %d", ErrTruncated, offset)
		default:
			r.add(r.file.Slice(offset, offset+length))
		}
	}
	return nil
}

func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }

// padded is the content with zeros up to the size.
func padded(c content.Content, size int64) content.Content {
	return content.Join(c, content.Zeros(size-c.Size()))
}

func words64(words []uint64) content.Content {
	data := make([]byte, 0, 8*len(words))
	for _, w := range words {
		data = binary.BigEndian.AppendUint64(data, w)
	}
	return content.Of(data)
}
