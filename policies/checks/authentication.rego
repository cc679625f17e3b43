# Somebody is logged in.
package dive.checks.authentication

default pass := false

pass if input.subject.authenticated == true

reason := "Nobody is logged in"
