"""The providers by name: resource -> module and class, and what every state holds of them.

A state pickles a provider by reference, so these paths are an interface. A provider that is renamed or moved stays
importable at its old path for one release, and in `FORMER`: until each state was updated once. So does the provider of
a resource that is no longer declared.

A pickle is a program: any other than these is refused unread, by `automation.state_providers` before Pulumi starts and
by `dynamic.runtime.bootstrap` in the process that would load it.
"""

from collections.abc import Mapping
from functools import cache

PROTOCOLS = (4, 5)  # of pickle: Python 3.11 to 3.13 write the first, later ones the second

PROVIDERS: Mapping[str, str] = {
    "Certificate": "dive_infra.dynamic.certificate:CertificateProvider",
    "Checkpoint": "dive_infra.dynamic.checkpoint:CheckpointProvider",
    "CoalitionDocument": "dive_infra.dynamic.coalition:CoalitionDocumentProvider",
    "Contents": "dive_infra.dynamic.data_volume:ContentsProvider",
    "CopiesVolume": "dive_infra.dynamic.data_volume:CopiesVolumeProvider",
    "DataVolume": "dive_infra.dynamic.data_volume:DataVolumeProvider",
    "DatabaseLogins": "dive_infra.dynamic.database_logins:DatabaseLoginsProvider",
    "Files": "dive_infra.dynamic.files:FilesProvider",
    "Gate": "dive_infra.dynamic.gate:GateProvider",
    "Guard": "dive_infra.dynamic.guard:GuardProvider",
    "Image": "dive_infra.dynamic.image:ImageProvider",
    "LinkEnds": "dive_infra.dynamic.link_ends:LinkEndsProvider",
    "LiveFiles": "dive_infra.dynamic.files:LiveFilesProvider",
    "MemberAuthority": "dive_infra.dynamic.coalition:MemberAuthorityProvider",
    "Membership": "dive_infra.dynamic.coalition:MembershipProvider",
    "NetworkProbe": "dive_infra.dynamic.network_probe:NetworkProbeProvider",
    "OrchestrationSchema": "dive_infra.dynamic.orchestration:OrchestrationSchemaProvider",
    "Orphans": "dive_infra.dynamic.orphans:OrphansProvider",
    "PartnerPeople": "dive_infra.dynamic.partner_people:PartnerPeopleProvider",
    "Probe": "dive_infra.dynamic.probe:ProbeProvider",
    "ProbePersons": "dive_infra.dynamic.users:ProbePersonsProvider",
    "Publication": "dive_infra.dynamic.publication:PublicationProvider",
    "RealmKeys": "dive_infra.dynamic.realm_keys:RealmKeysProvider",
    "RealmProbe": "dive_infra.dynamic.realm_probe:RealmProbeProvider",
    "Report": "dive_infra.dynamic.report:ReportProvider",
    "Secret": "dive_infra.dynamic.secret:SecretProvider",
    "Seed": "dive_infra.dynamic.seed:SeedProvider",
    "StackIdentity": "dive_infra.dynamic.stack_identity:StackIdentityProvider",
    "TestUsers": "dive_infra.dynamic.users:TestUsersProvider",
    "TrustFile": "dive_infra.dynamic.trust:TrustProvider",
    "Undeclared": "dive_infra.dynamic.undeclared:UndeclaredProvider",
    "Verification": "dive_infra.dynamic.verification:VerificationProvider",
}
# Resource -> the paths that states of the previous release may hold.
FORMER: Mapping[str, tuple[str, ...]] = {
    "Admission": ("dive_infra.dynamic.orchestration:AdmissionProvider",),
    "ServiceAccountRoles": ("dive_infra.dynamic.service_account_roles:ServiceAccountRolesProvider",),
}


def paths(resource: str) -> tuple[str, ...]:
    """Return where a state may say that the provider of a resource is; empty if the program has no such resource."""
    return (*filter(None, [PROVIDERS.get(resource)]), *FORMER.get(resource, ()))


@cache
def pickles(resource: str) -> frozenset[bytes]:
    """Return what a state may hold as the provider of a resource, byte for byte."""
    return frozenset(_pickled(path, protocol) for path in paths(resource) for protocol in PROTOCOLS)


@cache
def all_pickles() -> frozenset[bytes]:
    """Return what states may hold as providers, byte for byte."""
    return frozenset[bytes]().union(*(pickles(resource) for resource in (*PROVIDERS, *FORMER)))


def _pickled(path: str, protocol: int) -> bytes:
    """Return the pickle of an object without attributes, whose class is at `path`."""
    module, _, name = path.partition(":")
    made = _text(module) + _text(name) + b"\x93\x94)\x81\x94."  # the class, no arguments, the object, the end
    return bytes((0x80, protocol, 0x95)) + len(made).to_bytes(8, "little") + made


def _text(text: str) -> bytes:
    return bytes((0x8C, len(text))) + text.encode() + b"\x94"
