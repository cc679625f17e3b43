# Walks the checks. Each is a package below dive.checks with a boolean `pass` and a sentence `reason`; one that is
# missing or cannot be evaluated counts as failed.
package dive.decision

# In this order the one reason of a denial is chosen.
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

# The code of the check that decided; empty when all hold.
check := "" if allow

check := failed[0] if not allow

reason := "Permitted: every check holds" if allow

reason := data.dive.checks[check].reason if not allow

reason := sprintf("The check %q could not be made", [check]) if {
	not allow
	not data.dive.checks[check].reason
}
