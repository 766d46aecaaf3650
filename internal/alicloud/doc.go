// Package alicloud puts the official SDKs of ECS and OSS behind the interfaces of the packages export and manifest. It
// holds no decisions: it signs, sends, reads answers with tolerance, and classifies what went wrong.
//
// Every HTTP round trip passes through an exchange, which binds the call's context (the SDKs do not, or not everywhere),
// records the answer, and is what errors are made of. What the SDKs themselves report is never shown: the ECS SDK's
// errors repeat the signed URL with its token.
package alicloud
