"""docs/explanation/healing.md: each row and sentence is proven by the tests named here."""

import ast
import re
from fnmatch import fnmatchcase
from functools import cache

import pytest

from dive_infra.config.paths import ROOT
from dive_infra.seeds.loader import FIRST, SAMPLE_SECONDS, WHOLE
from tests.faults.outcomes import CASES, FAULTS

PAGE = ROOT / "docs" / "explanation" / "healing.md"
TESTS = ROOT / "tests"

CHECKS, IDENTITY, OPAL = "providers/test_checks.py", "providers/test_identity.py", "providers/test_opal.py"
OPAL_CLIENT = "unit/catalog/test_opal_client.py"
FIREWALL = "providers/test_engine.py::test_a_flushed_firewall_is_named_and_a_restart_of_the_engine_restores_it"
STATUS = "integration/test_4_status.py"
LOGIN_PAGE, KEYS = "unit/checks/test_login_page.py", "unit/checks/test_key_release.py"
LINKS = "unit/checks/test_verification.py"
SEEDS, SEES, REPORT = "providers/test_seeds.py", "unit/test_healing_page.py", "unit/checks/test_report.py"

# The start of a row's first cell, or of a sentence -> what proves it: `file::test`, `fault: title` of a row in
# tests/faults (or a pattern of titles), `by hand: title` of a row in providers/test_identity.py.
PROVEN: dict[str, tuple[str, ...]] = {
    "Left out are": (f"{SEES}::test_each_server_that_is_compared_says_what_is_left_out",),
    "Every message names its command": (
        "unit/diagnosis/test_status.py::test_every_problem_has_a_cause_and_an_exact_command",
        "unit/automation/test_drift.py::test_up_refreshes_only_for_what_no_other_update_repairs",
    ),
    "`tests/faults` holds": ("unit/test_faults.py::test_every_fault_has_a_name_of_its_own",),
    "`tests/integration/test_3_heal.py` damages": (
        "integration/test_3_heal.py::test_one_command_heals_it_and_touches_nothing_else",
    ),
    "With `--docs`": ("unit/test_faults.py::test_the_published_pages_are_of_these_tables",),
    "Which tests prove": (f"{SEES}::test_each_row_and_sentence_has_one_entry",),
    "a container stopped": (
        "fault: * is stopped",
        "fault: * is removed",
        "fault: * has other limits",
        "fault: * is recreated by hand with other variables",
        "fault: * has an altered file",
        "fault: * has lost its files and crashes",
        "fault: the network is removed",
        "fault: keycloak is off the network of its link",
        "providers/test_link_ends.py::test_a_stopped_container_whose_network_is_gone_can_be_started_again",
    ),
    "a Postgres role": (
        "fault: a role of Postgres has another password",
        "providers/test_database_logins.py::test_a_role_that_does_not_log_in_is_given_its_password_again",
        "providers/test_database_logins.py::test_a_dropped_role_is_made_again",
        f"{CHECKS}::test_every_datastore_answers_a_login_and_refuses_another",
    ),
    "a role made a superuser": (
        "fault: a role of Postgres is a superuser",
        "fault: a database has another owner",
    ),
    "in Postgres, added or changed": (
        f"{CHECKS}::test_every_setting_and_every_attribute_of_a_role_that_someone_changes_is_red",
        f"{CHECKS}::test_a_role_of_ours_that_someone_changes_needs_a_refresh",
        f"{CHECKS}::test_what_postgres_ships_is_red_when_someone_changes_it_and_its_command_restores_it",
        f"{CHECKS}::test_what_someone_adds_to_postgres_is_red_and_its_command_removes_it",
        f"{CHECKS}::test_the_command_of_a_finding_removes_a_setting_that_is_in_force",
        f"{CHECKS}::test_a_changed_database_is_red",
        f"{CHECKS}::test_a_tablespace_is_red_and_its_command_removes_it",
        f"{CHECKS}::test_a_replication_slot_is_red_and_its_command_removes_it",
        f"{CHECKS}::test_a_line_that_postgres_cannot_read_is_red_and_its_command_removes_it",
        "unit/checks/test_postgres.py::test_a_rule_of_pg_hba_that_someone_adds_or_removes_goes_with_an_update",
    ),
    "in a declared database of Postgres": (
        f"{CHECKS}::test_what_someone_adds_to_a_database_is_red_and_its_command_removes_it",
        f"{CHECKS}::test_a_language_that_someone_drops_is_red_and_its_command_restores_it",
    ),
    "in Redis": (
        f"{CHECKS}::test_a_user_or_a_right_that_someone_adds_to_redis_is_red",
        f"{CHECKS}::test_each_setting_that_someone_changes_in_redis_is_red",
        f"{CHECKS}::test_a_restart_removes_what_someone_changed_in_redis",
        "fault: Redis has another user and another setting",
    ),
    "in MongoDB": (
        f"{CHECKS}::test_what_someone_adds_to_mongodb_is_red_and_its_statement_removes_it",
        "unit/checks/test_mongodb.py::test_the_command_of_a_finding_runs_in_the_backend",
    ),
    "a right on a declared database": (
        f"{CHECKS}::test_a_changed_database_is_red",
        "providers/test_database_logins.py::test_only_its_owner_may_enter_a_database",
        "unit/checks/test_postgres.py::test_a_database_that_someone_lets_everyone_enter_is_closed_by_an_update",
    ),
    "a hub that answers": (
        f"{OPAL}::test_a_hub_whose_api_has_another_key_changes_nothing_at_a_spoke",
        f"{OPAL}::test_what_the_hub_signed_before_does_not_replace_what_a_spoke_has",
        "unit/checks/test_policy_engine.py"
        "::test_what_the_hub_did_not_sign_or_signed_before_is_red_and_the_copy_counts",
    ),
    "a policy or data in OPA": (
        f"{OPAL}::test_every_policy_and_every_value_of_data_that_differs_is_red",
        f"{OPAL}::test_the_command_of_a_finding_has_everything_loaded_again",
        "integration/test_3_verification.py::test_a_document_that_the_wrong_people_may_read_is_reported",
    ),
    "a foreign container": (
        f"{CHECKS}::test_networks_volumes_and_images_are_proven_by_looking",
        f"{CHECKS}::test_a_stranger_on_the_network_of_a_link_is_named_with_the_command_that_takes_it_off",
    ),
    "a database dropped": (
        "fault: the portal's database is dropped",
        "fault: the orchestration database is dropped",
    ),
    "Keycloak's database dropped": (
        "fault: Keycloak's database is dropped",
        "fault: the data volume of * is lost",
    ),
    "the record's schema": (
        "fault: a column of the record is renamed",
        "providers/test_checkpoint.py::test_a_schema_that_is_not_ours_is_given_up_only_if_the_loss_is_accepted",
    ),
    "a right in the record": (
        "fault: a right in the record is revoked",
        "providers/test_orchestration.py::test_a_lost_right_is_reported_by_name_and_granted_again",
    ),
    "a row of the record": (
        "fault: a phase is not in the record",
        "fault: a phase is recorded for another declaration",
    ),
    "the realm, or a setting": (
        "fault: the realm is deleted",
        "fault: a setting of the realm is changed",
        "fault: a user attribute is removed",
        "fault: the portal's client is deleted",
        "fault: a mapper of a client scope is deleted",
        "fault: a client scope is deleted",
        "fault: a role is deleted",
        "fault: a group is deleted",
        "fault: the login flow is deleted",
        "fault: the identity provider is deleted",
    ),
    "the same of the partner's side": (
        "fault: the identity provider is disabled",
        "fault: the broker is deleted",
        f"{IDENTITY}::test_each_country_sees_and_repairs_its_own_side_of_a_link",
        "integration/test_4_status.py::test_the_doctor_names_a_link_that_was_cut_by_hand",
    ),
    "the secret of the portal": (
        "fault: the portal's secret is changed by hand",
        f"{IDENTITY}::test_a_secret_is_proven_by_its_use_and_a_refresh_brings_it_back",
    ),
    "what no resource of Pulumi covers": (
        "fault: a mapper is added to the portal",
        "fault: a step that links by mail is added to the login flow",
        "fault: a client scope is taken from the portal",
        "by hand: a group that administers",
        "by hand: a role that administers",
        "by hand: redirects to anywhere",
        "by hand: another mapper in a built-in scope",
        "by hand: no password form",
        "by hand: a key provider is gone",
        "by hand: a registration policy",
        "by hand: a required action for everybody",
        "by hand: another OTP policy",
        f"{IDENTITY}::test_a_change_by_hand_is_seen_and_goes_by_the_command_that_the_finding_names",
    ),
    "a signing or encryption key": (
        f"{IDENTITY}::test_a_foreign_key_under_a_shipped_provider_is_red_and_a_rotation_ends_it",
        "unit/identity/test_realm_keys.py::test_a_key_in_force_that_is_not_recorded_is_a_finding",
        "unit/dynamic/test_realm_keys.py::test_foreign_keys_are_recorded_only_if_the_run_accepts_them",
        "unit/cli/test_rotate_keys.py::test_the_keys_are_replaced_and_the_update_accepts_them",
    ),
    "an undeclared client": (
        "fault: a client is added",
        "fault: an identity provider is added",
        "by hand: a role",
        "by hand: a group",
        "by hand: a client scope",
        "by hand: another browser flow",
        "by hand: a foreign key provider",
        "by hand: a client policy",
    ),
    "another realm": (
        "by hand: another realm",
        "by hand: a person who administers",
        "by hand: a person who administers the server",
        "by hand: a service account that administers the server",
    ),
    "a test user": (
        "fault: a test user is deleted",
        "fault: a test user has another clearance",
        "fault: a test user is disabled",
        "fault: a test user has another password",
    ),
    "a seed document": (
        "fault: a document is deleted",
        "fault: a document is altered",
        "fault: a seed batch is deleted",
        "fault: the ledger of a seed is lost",
    ),
    "the verification report": (
        "fault: the report is deleted",
        "fault: the report is cut in half",
        "fault: the report is forged",
        "fault: the report is of another run",
        "fault: the report is of another country",
        f"{REPORT}::test_a_report_that_is_not_the_one_that_was_written_is_reported_and_written_again",
    ),
    "objects on the engine": (
        "providers/test_orphans.py::test_orphans_are_shown_with_the_command_that_removes_them",
        "providers/test_orphans.py::test_named_orphans_go_and_data_only_if_the_loss_is_accepted",
    ),
    "A server is compared": (
        f"{CHECKS}::test_postgres_holds_what_is_declared_and_is_asked_within_a_second",
        f"{CHECKS}::test_redis_holds_what_is_declared_and_what_its_version_ships",
        f"{CHECKS}::test_mongodb_holds_what_is_declared_and_says_what_it_does_not_support",
        f"{IDENTITY}::test_the_file_of_this_keycloak_says_what_it_ships",
    ),
    "For Keycloak": (f"{IDENTITY}::test_every_value_that_can_be_changed_turns_the_realm_red",),
    "The server took 1,916 such": (f"{IDENTITY}::test_every_value_that_can_be_changed_turns_the_realm_red",),
    "What is exempt": (f"{IDENTITY}::test_every_value_that_can_be_changed_turns_the_realm_red",),
    "The same test adds something": (
        f"{IDENTITY}::test_every_value_that_can_be_changed_turns_the_realm_red",
        "unit/test_realm_additions.py::test_what_changes_cannot_reach_is_added_to",
        "unit/test_realm_additions.py::test_everything_that_can_be_added_by_a_request_of_its_own_is_added_once",
    ),
    "The server took 679 of": (f"{IDENTITY}::test_every_value_that_can_be_changed_turns_the_realm_red",),
    "The same is done for Postgres": (
        f"{CHECKS}::test_every_setting_and_every_attribute_of_a_role_that_someone_changes_is_red",
    ),
    "It is done for OPA": (f"{OPAL}::test_every_policy_and_every_value_of_data_that_differs_is_red",),
    "The server took 1,177 changes": (
        f"{CHECKS}::test_every_setting_and_every_attribute_of_a_role_that_someone_changes_is_red",
    ),
    "Every test run takes a sample of both": (
        f"{CHECKS}::test_every_setting_and_every_attribute_of_a_role_that_someone_changes_is_red",
        f"{OPAL}::test_every_policy_and_every_value_of_data_that_differs_is_red",
    ),
    "**Postgres**": (
        f"{CHECKS}::test_what_is_inside_a_database_and_the_password_of_another_role_are_left_out",
        f"{CHECKS}::test_a_renamed_column_is_red",
    ),
    "Passwords of roles": (
        f"{CHECKS}::test_what_is_inside_a_database_and_the_password_of_another_role_are_left_out",
    ),
    "**Redis**": (f"{CHECKS}::test_keys_functions_and_hidden_parameters_of_redis_are_left_out",),
    "Each parameter that another version adds": (
        "unit/checks/test_redis.py::test_a_setting_that_is_missing_or_not_known_is_a_finding",
        f"{CHECKS}::test_redis_holds_what_is_declared_and_what_its_version_ships",
    ),
    "**MongoDB**": ("unit/checks/test_mongodb.py::test_what_is_left_out_makes_no_difference",),
    "**Keycloak**": (
        f"{IDENTITY}::test_no_answer_shows_a_symmetric_key",
        "unit/identity/test_realm_keys.py::test_a_symmetric_key_is_compared_by_its_id",
    ),
    "FerretDB has neither": ("unit/checks/test_mongodb.py::test_a_server_without_roles_is_read_without_them",),
    "A spoke decides with": (f"{OPAL}::test_without_the_hub_a_restarted_opa_decides_by_what_the_hub_signed_last",),
    "The hub signs them": (
        "unit/catalog/test_signature.py::test_opa_verifies_what_the_hub_signs",
        f"{OPAL_CLIENT}::test_what_the_hub_signed_is_kept_and_given_to_opa",
        "unit/test_program.py::test_a_spoke_has_a_volume_of_copies_for_its_opal_client",
        "providers/test_storage_resources.py"
        "::test_a_lost_volume_of_copies_is_created_again_without_a_question",
    ),
    "An OPA that was restarted": (
        f"{OPAL}::test_without_the_hub_a_restarted_opa_decides_by_what_the_hub_signed_last",
        f"{OPAL}::test_the_hubs_api_alone_away_opa_gets_the_data_too",
        f"{OPAL}::test_an_altered_copy_is_not_loaded",
        f"{OPAL_CLIENT}::test_an_altered_copy_is_not_given_to_opa",
    ),
    "An answer of the hub that is older": (
        f"{OPAL}::test_what_the_hub_signed_before_does_not_replace_what_a_spoke_has",
    ),
    "DEPLOYMENT then compares": (
        "unit/checks/test_policy_engine.py"
        "::test_without_the_hub_what_it_signed_last_is_valid_and_shows_its_age",
        "unit/diagnosis/test_status.py::test_a_phase_shows_what_a_valid_finding_points_out",
    ),
    "A hub that refuses": (
        "unit/checks/test_policy_engine.py"
        "::test_without_the_hub_what_it_signed_last_is_valid_and_shows_its_age",
        f"{OPAL}::test_a_country_that_its_hub_has_cut_off_still_decides_after_a_restart",
    ),
    "A spoke that has nothing": (
        "unit/checks/test_policy_engine.py::test_a_country_that_has_nothing_of_its_hub_yet_is_pending",
        f"{LINKS}::test_a_country_without_policies_of_its_hub_is_pending_as_are_its_links",
    ),
    "Countries on separate machines": ("integration/test_7_hosts.py::test_what_works_while_the_network_is_disturbed",),
    "What a container of the country": (
        "unit/checks/test_policy_engine.py"
        "::test_a_hub_that_answers_here_and_is_out_of_reach_of_the_containers_counts_as_one_that_does_not_answer",
        f"{LINKS}::test_a_partner_out_of_reach_of_the_own_keycloak_makes_the_link_pending",
    ),
    "An update reads the coalition document": (
        "unit/membership/test_files.py::test_a_file_is_below_the_stack_files",
        "unit/membership/test_files.py::test_an_answer_is_kept_for_when_the_hub_does_not_answer",
    ),
    "A link whose partner": (
        f"{LINKS}::test_a_link_whose_partner_has_issued_no_one_is_pending_both_ways_and_asked_about_once",
    ),
    "an OPA of a spoke": (
        f"{OPAL}::test_without_the_hub_a_restarted_opa_decides_by_what_the_hub_signed_last",
    ),
    "**OPA**": (f"{OPAL}::test_no_one_writes_to_an_opa",),
    "Without an answer from the hub": (
        "unit/checks/test_policy_engine.py"
        "::test_without_the_hub_policies_are_compared_with_this_checkout_and_data_is_unknown",
    ),
    "**Networks**": (
        f"{CHECKS}::test_networks_volumes_and_images_are_proven_by_looking",
        f"{CHECKS}::test_what_carries_our_mark_and_is_not_declared_is_shown_and_decides_nothing",
        "unit/checks/test_initialization.py::test_a_foreign_container_on_the_network_is_named_and_one_of_ours_never",
    ),
    "On a link's": (
        "unit/checks/test_link_networks.py"
        "::test_a_stranger_is_named_with_the_command_that_takes_it_off_and_a_partner_is_not",
    ),
    "What lives in memory": (
        f"{CHECKS}::test_a_restart_removes_what_someone_changed_in_redis",
        f"{OPAL}::test_the_command_of_a_finding_has_everything_loaded_again",
    ),
    "It is therefore": (f"{CHECKS}::test_a_restart_removes_what_someone_changed_in_redis",),
    "A stopped Keycloak": (f"{CHECKS}::test_a_realm_or_users_out_of_reach_are_unknown",),
    "A preview therefore": (
        "providers/test_checkpoint.py::test_a_checkpoint_whose_proof_is_unknown_is_kept",
        "integration/test_4_preview.py"
        "::test_with_the_state_alone_each_phase_says_in_one_line_what_it_could_not_look_at",
    ),
    "An update first starts": (
        "fault: keycloak is stopped",
        "unit/test_program.py::test_each_phase_waits_for_the_checkpoint_before_it",
    ),
    "Checks that were only late": (
        "unit/checks/test_runner.py::test_what_is_late_is_asked_once_more_where_there_is_time_for_it",
    ),
    "Up to 1000 documents": (
        f"{SEEDS}::test_a_sample_of_many_documents_shows_what_is_off_with_what_it_reads_and_with_the_ledger",
        f"{SEES}::test_the_numbers_of_documents_are_those_of_the_program",
    ),
    "Of more, the whole ledger": (
        f"{SEEDS}::test_a_sample_of_many_documents_shows_what_is_off_with_what_it_reads_and_with_the_ledger",
        f"{SEEDS}::test_five_thousand_documents_load_in_seconds_and_are_checked_in_less",
        "unit/seeds/test_loader.py::test_two_samples_of_many_documents_read_different_ones",
        "unit/checks/test_seeding.py::test_a_proof_reads_all_documents_and_a_look_says_how_many",
        f"{SEES}::test_the_numbers_of_documents_are_those_of_the_program",
    ),
    "When SEEDING is proven": (
        "unit/checks/test_seeding.py::test_a_proof_reads_all_documents_and_a_look_says_how_many",
        "providers/test_checkpoint.py::test_a_proven_phase_is_recorded_then_skipped_with_its_evidence",
    ),
    "A role's password": (
        f"{CHECKS}::test_every_datastore_answers_a_login_and_refuses_another",
        f"{IDENTITY}::test_a_secret_is_proven_by_its_use_and_a_refresh_brings_it_back",
        f"{IDENTITY}::test_a_password_that_was_changed_by_hand_is_reported_and_restored",
    ),
    "the superuser's password of Postgres, the root": (
        f"{CHECKS}::test_a_superuser_with_a_password_from_before_a_change_gets_that_of_the_state",
        f"{CHECKS}::test_mongodb_with_a_password_from_before_a_change_gets_that_of_the_state",
        f"{IDENTITY}::test_an_account_with_a_secret_from_before_a_change_gets_that_of_the_state",
        "unit/checks/test_out_of_step.py::test_both_sides_are_named_with_the_age_of_the_states_value",
    ),
    "a key access service whose process": (
        f"{STATUS}::test_a_key_service_with_another_key_is_named_and_a_restart_restores_it",
    ),
    "a portal that sends people": (
        f"{LOGIN_PAGE}::test_what_keeps_people_from_logging_in_is_named",
        f"{STATUS}::test_a_login_form_that_the_realm_refuses_is_shown_without_a_login",
    ),
    "a key access service that does not reach": (f"{KEYS}::test_what_keeps_keys_from_being_released_is_named",),
    "a person recreated at home": (
        f"{IDENTITY}::test_a_person_who_was_recreated_at_home_logs_in_and_the_old_account_goes",
    ),
    "Every look": (f"{STATUS}::test_the_doctor_finds_a_country_well_by_real_logins",),
    "It needs no person": (
        "providers/test_services.py::test_a_look_at_the_key_service_takes_no_time_and_leaves_no_trace",
    ),
    "six decisions of OPA": (
        "unit/test_policies.py::test_a_country_that_can_work_decides_the_probes_as_expected",
        "unit/test_policies.py::test_a_probe_sees_each_check_that_someone_switched_off",
    ),
    "the portal's `/login`": (
        f"{LOGIN_PAGE}::test_a_portal_that_leads_to_the_login_form_is_valid_after_two_requests",
        f"{LOGIN_PAGE}::test_what_keeps_people_from_logging_in_is_named",
    ),
    "a key, with a token": (
        f"{KEYS}::test_a_service_that_refuses_for_the_right_reason_is_ready",
        f"{KEYS}::test_what_keeps_keys_from_being_released_is_named",
    ),
    "If a container is down": (
        f"{LOGIN_PAGE}::test_a_service_that_is_down_is_the_cause_and_no_damage",
        f"{KEYS}::test_a_dependency_that_is_down_is_the_cause",
    ),
    "`iptables -F`": (FIREWALL,),
    "Containers stay healthy for a while": (FIREWALL,),
    "`./dive doctor` therefore asks": (
        "unit/diagnosis/test_doctor_report.py::test_the_doctor_always_asks_whether_packets_pass",
        "unit/diagnosis/test_status.py::test_containers_are_asked_once_and_only_about_what_may_follow",
    ),
    "If no other service can be reached": (
        "unit/diagnosis/test_status.py::test_packets_that_do_not_pass_are_shown_before_what_follows",
        "unit/checks/test_connectivity.py::test_one_packet_that_passes_acquits_the_firewall",
    ),
    "It carries the command that restarts": (
        "unit/diagnosis/test_repair.py::test_nothing_is_changed_while_containers_cannot_reach_each_other",
    ),
    "As root on the engine's machine": (FIREWALL,),
    "The test on a real engine": (FIREWALL,),
}  # fmt: skip


def units() -> list[str]:
    """Return the rows of the page's tables and the sentences of its prose."""
    found: list[str] = []
    text = re.sub(r"(?m)^#.*$", "", PAGE.read_text())
    for block in re.split(r"\n\n|\n(?=- |\|)", text):
        line = " ".join(block.split())
        if line.startswith("|"):
            found.append(line.strip("| "))
        else:
            found += re.split(r"(?<=[.!?]) (?=[A-Z`*])", line.removeprefix("- "))
    head = ("what was damaged", "asked for |", "---")
    return [unit for unit in found if unit and not unit.startswith(head)]


@cache
def parsed(file: str) -> ast.Module:
    return ast.parse((TESTS / file).read_text())


def by_hand() -> set[str]:
    """Return the titles of the changes that people make in Keycloak's console."""
    tables = (n.value for n in parsed(IDENTITY).body if isinstance(n, ast.AnnAssign) and _named(n.target, "_BY_HAND"))
    keys = (key for table in tables if isinstance(table, ast.Dict) for key in table.keys)
    return {str(key.value) for key in keys if isinstance(key, ast.Constant)}


def _named(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def exists(proof: str) -> bool:
    kind, colon, title = proof.partition(": ")
    if colon and kind == "fault":
        return any(fnmatchcase(row.title, title) for row in (*FAULTS, *CASES))
    if colon and kind == "by hand":
        return title in by_hand()
    file, _, test = proof.partition("::")
    return (TESTS / file).exists() and any(
        isinstance(node, ast.FunctionDef) and node.name == test for node in parsed(file).body
    )


def test_each_row_and_sentence_has_one_entry() -> None:
    starts = tuple(PROVEN)
    entries = {unit: [start for start in starts if unit.startswith(start)] for unit in units()}
    assert [unit for unit, found in entries.items() if len(found) != 1] == []


def test_each_entry_is_of_one_row_or_sentence() -> None:
    starts = tuple(PROVEN)
    assert [s for s in starts if sum(unit.startswith(s) for unit in units()) != 1] == []


@pytest.mark.parametrize("proof", dict.fromkeys(proof for named in PROVEN.values() for proof in named))
def test_what_proves_it_exists(proof: str) -> None:
    assert exists(proof)


def test_each_server_that_is_compared_says_what_is_left_out() -> None:
    left_out = PAGE.read_text().partition("Left out are:")[2].partition("\n\n- ")[2].partition("\n\n")[0]
    servers = re.findall(r"(?m)^(?:- )?\*\*(\w+)\*\*:", left_out)
    assert servers == ["Postgres", "Redis", "MongoDB", "Keycloak", "OPA", "Networks"]


def test_the_numbers_of_documents_are_those_of_the_program() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"Up to {WHOLE} documents of a batch" in text
    assert (FIRST, SAMPLE_SECONDS) == (10, 0.5)
    assert "the first ten documents are read, and as many others as half a second allows" in text
