# What the hub distributes, unwrapped. A feed arrives as {"success": true, "<feed>": [rows], "count": n}; one that is
# absent, empty, cut short or not a success is missing, and nothing stands in for it.
package dive.feeds

# feed -> the field by which its rows are found
keys := {
	"clearance_equivalency": "standardLevel",
	"coi_definitions": "coiId",
	"federation_matrix": "sourceCountry",
	"tenant_configs": "code",
	"trusted_issuers": "issuerUrl",
}

delivered["clearance_equivalency"] := data.dive.clearance_equivalency

delivered["coi_definitions"] := data.dive.coi_definitions

delivered["federation_matrix"] := data.dive.federation_matrix

delivered["tenant_configs"] := data.dive.tenant_configs

delivered["trusted_issuers"] := data.dive.trusted_issuers

rows[feed] := {row[key]: row | some row in wrapped[feed]} if {
	some feed, key in keys
	wrapped := delivered[feed]
	wrapped.success == true
	wrapped.count > 0
	wrapped.count == count(wrapped[feed])
}

missing contains feed if {
	some feed, _ in keys
	not rows[feed]
}
