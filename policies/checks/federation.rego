# The token's issuer is trusted, and the country whose service asks trusts the issuer's country and the person's.
package dive.checks.federation

import data.dive.feeds

issuer := feeds.rows.trusted_issuers[input.subject.issuer]

trusted := {country | some country in feeds.rows.federation_matrix[input.context.tenant].trustedCountries}

default pass := false

pass if {
	issuer.enabled == true
	issuer.country in trusted
	input.subject.countryOfAffiliation in trusted
}

reason := "The token's issuer is not trusted" if not issuer.enabled == true

reason := sprintf("%s does not trust %s", [
	input.context.tenant,
	concat(", ", sort({issuer.country, input.subject.countryOfAffiliation} - trusted)),
]) if {
	issuer.enabled == true
	not pass
}
