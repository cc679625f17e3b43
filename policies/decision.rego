# Evaluates the checks. Each is a package below dive.checks with a boolean `pass` and a sentence `reason`.
# A check that is missing or cannot be evaluated has failed.
package dive.decision

# The first failed check in this order gives the reason of a denial.
order := [
	"authentication",
	"attributes",
	"policy_data",
	"clearance",
	"strength",
	"mfa",
	"upload",
	"country",
	"coi",
	"embargo",
	"integrity",
	"industry",
	"industry_cap",
	"coherence",
	"federation",
]

checks[code] := true if {
	some code in order
	data.dive.checks[code].pass == true
}

checks[code] := false if {
	some code in order
	not data.dive.checks[code].pass == true
}

failed := [code | some code in order; not checks[code]]

default allow := false

allow if {
	count(failed) == 0
	count(checks) == count(order)
}

# The code of the first failed check; empty if all pass.
check := "" if allow

check := failed[0] if not allow

reason := "Permitted: every check passes" if allow

reason := data.dive.checks[check].reason if not allow

reason := sprintf("The check %q could not be evaluated", [check]) if {
	not allow
	not data.dive.checks[check].reason
}
