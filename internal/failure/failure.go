// Package failure classifies errors by what a person can do about them. An
// error carries its exit code and, where there is one, the next step; both
// are resolved once, at the top of the program.
package failure

import "errors"

// Code is the exit code of the program.
type Code int

// The exit codes, the same for every command.
const (
	// OK means that the command did what it was asked.
	OK Code = 0
	// Internal is an error nobody foresaw.
	Internal Code = 1
	// Usage is a wrong flag or an invalid scenario.
	Usage Code = 2
	// Regression means that a threshold was crossed.
	Regression Code = 3
	// Invalid means that a measurement could not be trusted or finished.
	Invalid Code = 4
	// Environment means that this machine is not fit for what was asked.
	Environment Code = 5
	// Interrupted means that the user stopped the program.
	Interrupted Code = 130
)

// Error is an error with an exit code and a next step.
type Error struct {
	// Code is the exit code of the program.
	Code Code
	// Hint is the next step, a command where possible; may be empty.
	Hint string
	err  error
}

// New wraps err with an exit code and a hint. A nil err gives nil.
func New(code Code, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Hint: hint, err: err}
}

// Error returns the text of the wrapped error, without the hint.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.err }

// CodeOf returns the exit code of err: OK for nil, that of the outermost
// Error in its chain, Internal otherwise.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// HintOf returns the next step attached to err, or the empty string.
func HintOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Hint
	}
	return ""
}
