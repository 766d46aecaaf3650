// Package restore is the way back: it brings an exported image back to ECS from its manifest and the objects in OSS, and
// rehearses that. Like package export, it knows neither SDK nor HTTP; what it needs of ECS and OSS it asks of the interfaces
// in ports.go.
package restore
