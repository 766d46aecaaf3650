package openapi

import (
	"fmt"
	"net/http"
)

// An Error is what a service of the platform answers instead of a result. Codes and messages are the platform's own.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the platform's error code, such as "InvalidImageId.NotFound".
	Code string
	// Message is for people.
	Message string
}

// Error names the status, the code and the message.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// Errorf returns an Error whose message is formatted.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// mandatory is the gateway's answer to a request that lacks one of the parameters of the protocol itself.
// Guess: the wording is the same for all of them.
func mandatory(name string) *Error {
	return Errorf(http.StatusBadRequest, "Missing"+name, "%s is mandatory for this action.", name)
}

// Missing is the answer to a request that lacks a parameter of its action.
func Missing(name string) *Error {
	return Errorf(http.StatusBadRequest, "MissingParameter",
		"An input parameter %q that is mandatory for processing the request is not supplied.", name)
}

// Invalid is the answer to a parameter whose value the action does not take, where the action has no code of its own.
func Invalid(name string) *Error {
	return Errorf(http.StatusBadRequest, "InvalidParameter", "The specified parameter %q is not valid.", name)
}
