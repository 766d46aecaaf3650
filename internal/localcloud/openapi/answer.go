package openapi

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
)

// A Result is the answer to an action: a pointer to a struct that embeds [Header] and whose fields have the same names in
// their json and xml tags. A list is a struct with one slice, as the platform writes it: {"Images":{"Image":[…]}}.
type Result interface{ setRequestID(id string) }

// A Header starts every result.
type Header struct {
	RequestID string `json:"RequestId" xml:"RequestId"`
}

func (h *Header) setRequestID(id string) { h.RequestID = id }

type failure struct {
	XMLName   xml.Name `json:"-" xml:"Error"`
	RequestID string   `json:"RequestId" xml:"RequestId"`
	HostID    string   `json:"HostId" xml:"HostId"`
	Code      string   `json:"Code" xml:"Code"`
	Message   string   `json:"Message" xml:"Message"`
	Recommend string   `json:"Recommend" xml:"Recommend"`
}

// encode writes value in the format, "JSON" or "XML", the latter with root as its outermost element; an empty root means
// that the value names its own.
func encode(format, root string, value any) ([]byte, error) {
	var b bytes.Buffer
	if format == "JSON" {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(value); err != nil {
			return nil, fmt.Errorf("encode answer: %w", err)
		}
		return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
	}
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	start := xml.StartElement{Name: xml.Name{Local: root}}
	var err error
	if root == "" {
		err = enc.Encode(value)
	} else {
		err = enc.EncodeElement(value, start)
	}
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return b.Bytes(), nil
}

func contentType(format string) string {
	if format == "JSON" {
		return "application/json;charset=utf-8"
	}
	return "text/xml;charset=utf-8"
}

// newRequestID returns a random id in the platform's notation, such as C8B26B44-0189-443E-9816-D951F59623A9.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newTraceID returns 32 random hexadecimal digits, as the platform's gateway adds them to every answer.
func newTraceID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
