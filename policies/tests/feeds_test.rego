# Without its data the policy denies and names what is missing.
package dive.tests.feeds_test

import data.dive.authz
import data.dive.feeds
import data.dive.tests.fixture

broken := {
	"not a success": {"success": false, "trusted_issuers": [{"issuerUrl": "https://idp.fra"}], "count": 1},
	"empty": {"success": true, "trusted_issuers": [], "count": 0},
	"truncated": {"success": true, "trusted_issuers": [{"issuerUrl": "https://idp.fra"}], "count": 2},
	"not wrapped": [{"issuerUrl": "https://idp.fra"}],
	"an error": {"error": "unavailable"},
}

test_broken_feed[name] if {
	some name, delivered in broken
	answer := authz with input as fixture.question
		with data.dive.trusted_issuers as delivered
		with data.dive.federation_matrix as fixture.feeds.federation_matrix
		with data.dive.coi_definitions as fixture.feeds.coi_definitions
		with data.dive.tenant_configs as fixture.feeds.tenant_configs
		with data.dive.clearance_equivalency as fixture.feeds.clearance_equivalency
	not answer.allow
	answer.evaluation_details.check == "policy_data"
	answer.reason == "Policy data has not arrived: trusted_issuers"
}

test_nothing_delivered if {
	answer := authz with input as fixture.question
	not answer.allow
	answer.evaluation_details.check == "policy_data"
	every feed, _ in feeds.keys {
		contains(answer.reason, feed)
	}
}

test_no_question if {
	answer := authz with input as {}
	not answer.allow
	answer.evaluation_details.check == "authentication"
}
