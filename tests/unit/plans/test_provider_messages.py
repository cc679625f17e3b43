"""What a provider prints is what the plan reads from Pulumi's output, with any text around it."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dive_infra.orchestration.states import Phase
from dive_infra.plans import provider_messages
from dive_infra.plans.provider_messages import About, ProviderMessage, parse

LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60)
FINDING = st.builds(lambda sign, text: f"{sign} {text}".strip(), st.sampled_from("✗‼?…"), LINE)
WHAT = st.builds(lambda first, findings: "\n".join([first, *findings]), LINE, st.lists(FINDING, max_size=3))
KIND = st.from_regex(r"[A-Z][A-Za-z]{1,20}", fullmatch=True)
ID = LINE.map(str.strip).filter(lambda text: text and ": " not in f"{text} " and not text.startswith(":"))


MESSAGES = st.builds(
    lambda about, phase, kind, name, what: ProviderMessage(
        about, f"{kind} {name}" if about in ("unchecked", "drifted") else phase, what
    ),
    st.sampled_from(get_args(About)),
    st.sampled_from(Phase),
    KIND,
    ID,
    WHAT,
).filter(lambda message: not (message.about == "drifted" and message.what.startswith("could not be checked")))


@given(MESSAGES)
def test_a_message_is_parsed_as_it_was_formatted(message: ProviderMessage) -> None:
    assert list(parse(str(message))) == [message]


@given(st.lists(MESSAGES, max_size=5))
def test_messages_are_parsed_among_other_output(messages: list[ProviderMessage]) -> None:
    printed = "\n\nTestUsers made\n".join(["something else", *map(str, messages), "the end"])
    assert list(parse(printed)) == messages


@pytest.mark.parametrize(
    ("line", "about", "of"),
    [
        (provider_messages.skipped(Phase.SEEDING, "7 seed batches (all); 0.2 s"), "skipped", "SEEDING"),
        (provider_messages.unknown(Phase.SEEDING, "kept as proven at noon: no answer"), "unknown", "SEEDING"),
        (provider_messages.again(Phase.SEEDING, "not valid now\n  ✗ off"), "again", "SEEDING"),
        (provider_messages.unchecked("Gate", "dive-fra-redis", "no answer"), "unchecked", "Gate dive-fra-redis"),
        (provider_messages.drifted("Gate", "dive-fra-redis", "is exited"), "drifted", "Gate dive-fra-redis"),
        (provider_messages.drifted("Certificate", "DIVE FRA", "ends in 59 days"), "drifted", "Certificate DIVE FRA"),
    ],
)
def test_each_kind_of_line_is_distinguished_from_the_others(line: str, about: About, of: str) -> None:
    [found] = parse(line)
    assert (found.about, found.of) == (about, of)


@given(st.lists(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), min_size=1, max_size=5))
def test_the_changed_properties_are_parsed_as_they_were_formatted(properties: list[str]) -> None:
    assert provider_messages.changed_properties(provider_messages.changed(properties)) == properties
    assert provider_messages.changed_properties("not valid now") == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (provider_messages.changed(["after", "spec"]), "changed: after, spec"),
        (provider_messages.all_unchecked(["Gate a", "Gate b"]), "could not be checked, kept as it was: Gate a, Gate b"),
        (
            provider_messages.still_recorded("SEEDING", "FRA", "no answer"),
            "SEEDING of FRA: the record still names it completed: no answer",
        ),
        (
            provider_messages.loss_not_needed("data"),
            "warning: DIVE_ACCEPT_LOSS names data, which is not lost; next: unset DIVE_ACCEPT_LOSS",
        ),
        (provider_messages.seeded("resources", 1, 2, 3, 4), "resources: 1 inserted, 2 replaced, 3 removed, 4 kept"),
        (provider_messages.user_repaired("testuser-fra-1", []), "testuser-fra-1 created"),
        (provider_messages.user_repaired("testuser-fra-1", ["a", "b"]), "testuser-fra-1: a, b repaired"),
        (
            provider_messages.orphan_kept("data"),
            "data volume data is kept; to give its data up: DIVE_ACCEPT_LOSS=data beside DIVE_REMOVE",
        ),
    ],
)
def test_a_line_reads_as_the_operator_knows_it(line: str, text: str) -> None:
    assert line == text


@pytest.mark.parametrize("phase", Phase)
def test_a_phase_has_ended_when_its_checkpoint_was_created_updated_or_skipped(phase: Phase) -> None:
    checkpoint = f"{phase.lower()}-{'proof' if phase == Phase.VERIFICATION else 'checkpoint'}"
    ended = [
        f" +  dive:Checkpoint {checkpoint} created (2s)",
        f" ~  dive:Checkpoint {checkpoint} updated (2s)",
        f"    {provider_messages.skipped(phase, 'all; 0.1 s')}",
    ]
    running = [f" +  dive:Checkpoint {checkpoint} creating (0s)", provider_messages.again(phase, "not valid now")]
    assert [[*provider_messages.ended_phases(line)] for line in ended] == [[phase]] * 3
    assert [*provider_messages.ended_phases("\n".join(running))] == []
