package alicloud

import (
	"net"
	"net/http"
	"time"
)

// NewTransport makes the one transport of a process. Function Compute freezes an instance between invocations, and a
// connection that the other side has closed meanwhile costs a failed request: idle ones are given up early. Compression
// is off, so that what is read is what is stored.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second,
		IdleConnTimeout:       10 * time.Second,
		MaxIdleConns:          128,
		MaxIdleConnsPerHost:   64,
		DisableCompression:    true,
	}
}
