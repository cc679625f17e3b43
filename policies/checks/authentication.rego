# The person is logged in.
package dive.checks.authentication

default pass := false

pass if input.subject.authenticated == true

reason := "The person is not logged in"
