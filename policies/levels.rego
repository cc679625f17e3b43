# Classification levels and their national names.
package dive.levels

import data.dive.feeds

# Level name -> rank, 0 for UNCLASSIFIED to 4 for TOP_SECRET.
rank[name] := row.level if some name, row in feeds.rows.clearance_equivalency

classification := rank[input.resource.classification]

clearance := rank[input.subject.clearance]

# A national label agrees with a level if it is the level's own name or one of the country's names for it.
# Some countries use one word for two levels; therefore a label alone never decides.
agrees(level, label, _) if upper(replace(label, " ", "_")) == level

agrees(level, label, country) if {
	some name in feeds.rows.clearance_equivalency[level].nationalEquivalents[country]
	upper(name) == upper(label)
}

contradictions contains sprintf("%s (%s) is not a clearance of level %s", [label, country, level]) if {
	label := input.subject.clearanceOriginal
	country := input.subject.clearanceCountry
	level := input.subject.clearance
	not agrees(level, label, country)
}

contradictions contains sprintf("%s (%s) is not a classification of level %s", [label, country, level]) if {
	label := input.resource.originalClassification
	country := input.resource.originalCountry
	level := input.resource.classification
	not agrees(level, label, country)
}
