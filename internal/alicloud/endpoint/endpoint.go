// Package endpoint reads the address of a cloud service from a configuration value.
package endpoint

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// An Endpoint is the root of a service: a scheme and a host, nothing else.
type Endpoint struct {
	Scheme string // https; http only with a loopback host
	Host   string // with the port when there is one
}

// Parse reads "https://host", "https://host:port" or a bare "host"; the last one means https. Requests carry
// credentials, so plain http is accepted for loopback hosts only. The errors never repeat the value: it might hold a
// password.
func Parse(value string) (Endpoint, error) {
	if !strings.Contains(value, "://") {
		value = "https://" + value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return Endpoint{}, errors.New("is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return Endpoint{}, errors.New("has a scheme other than https or http")
	case u.User != nil:
		return Endpoint{}, errors.New("has a user or password")
	case (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Endpoint{}, errors.New("has more than a host and a port")
	case !plainHost(u.Hostname()):
		return Endpoint{}, errors.New("has no valid host")
	}
	e := Endpoint{Scheme: u.Scheme, Host: u.Host}
	if e.Scheme == "http" && !e.Loopback() {
		return Endpoint{}, errors.New("is plain http to a host that is not loopback")
	}
	return e, nil
}

// Loopback tells whether the host is this machine, by its name or address alone.
func (e Endpoint) Loopback() bool {
	host := e.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.Unmap().IsLoopback()
}

// String is the URL.
func (e Endpoint) String() string { return e.Scheme + "://" + e.Host }

func plainHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || strings.HasPrefix(host, ".") || strings.HasPrefix(host, "-") {
		return false
	}
	return strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}
