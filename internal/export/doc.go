// Package export is the domain: it decides which images are exported, when, and what the journal says about it. It knows
// neither SDK nor HTTP; what it needs of ECS and OSS it asks of the interfaces in ports.go.
package export
