// Package version names the release of imageferry.
package version

// Current is the version in manifests, logs, the User-Agent and the health check.
const Current = "0.1.0"
