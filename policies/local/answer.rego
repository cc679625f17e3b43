# What every service of a country asks: POST /v1/data/national/answer. The country's own OPA has this module and the
# country's rules from its own files, never from the hub. Rules of the country only restrict: they are asked where the
# policies of the coalition do not deny, and a rule that cannot be evaluated denies.
package national

# Each rule is a package below national.checks with a boolean `pass` and a sentence `reason`, as a check of the coalition.
rules := {code | some code, _ in data.national.checks}

passed := {code | some code in rules; data.national.checks[code].pass == true}

failed := sort(rules - passed)

default denied := false

denied if {
	count(failed) > 0
	data.dive.authz.allow != false
}

# Undefined as long as no policies of the coalition are loaded.
answer := data.dive.authz if not denied

answer := {
	"allow": false,
	"reason": reason,
	"obligations": [],
	"evaluation_details": {
		"check": sprintf("national.%s", [failed[0]]),
		"checks": {sprintf("national.%s", [code]): pass |
			some code in rules
			pass := code in passed
		},
	},
} if denied

default reason := "Denied by a rule of this country, which gives no reason"

reason := data.national.checks[failed[0]].reason
