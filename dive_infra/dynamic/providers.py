"""The providers by name: resource -> module and class, as every state holds them.

A state pickles a provider by reference, so these paths are an interface. A provider that is renamed or moved stays
importable at its old path for one release: until each state was updated once.
"""

from collections.abc import Mapping

PROVIDERS: Mapping[str, str] = {
    "Admission": "dive_infra.dynamic.orchestration:AdmissionProvider",
    "Certificate": "dive_infra.dynamic.certificate:CertificateProvider",
    "Checkpoint": "dive_infra.dynamic.checkpoint:CheckpointProvider",
    "Contents": "dive_infra.dynamic.data_volume:ContentsProvider",
    "CopiesVolume": "dive_infra.dynamic.data_volume:CopiesVolumeProvider",
    "DataVolume": "dive_infra.dynamic.data_volume:DataVolumeProvider",
    "DatabaseLogins": "dive_infra.dynamic.database_logins:DatabaseLoginsProvider",
    "Files": "dive_infra.dynamic.files:FilesProvider",
    "Gate": "dive_infra.dynamic.gate:GateProvider",
    "Guard": "dive_infra.dynamic.guard:GuardProvider",
    "Image": "dive_infra.dynamic.image:ImageProvider",
    "LiveFiles": "dive_infra.dynamic.files:LiveFilesProvider",
    "NetworkProbe": "dive_infra.dynamic.network_probe:NetworkProbeProvider",
    "OrchestrationSchema": "dive_infra.dynamic.orchestration:OrchestrationSchemaProvider",
    "Orphans": "dive_infra.dynamic.orphans:OrphansProvider",
    "PartnerPeople": "dive_infra.dynamic.partner_people:PartnerPeopleProvider",
    "Probe": "dive_infra.dynamic.probe:ProbeProvider",
    "RealmKeys": "dive_infra.dynamic.realm_keys:RealmKeysProvider",
    "RealmProbe": "dive_infra.dynamic.realm_probe:RealmProbeProvider",
    "Report": "dive_infra.dynamic.report:ReportProvider",
    "Secret": "dive_infra.dynamic.secret:SecretProvider",
    "Seed": "dive_infra.dynamic.seed:SeedProvider",
    "ServiceAccountRoles": "dive_infra.dynamic.service_account_roles:ServiceAccountRolesProvider",
    "StackIdentity": "dive_infra.dynamic.stack_identity:StackIdentityProvider",
    "TestUsers": "dive_infra.dynamic.users:TestUsersProvider",
    "TrustFile": "dive_infra.dynamic.trust:TrustProvider",
    "Undeclared": "dive_infra.dynamic.undeclared:UndeclaredProvider",
    "Verification": "dive_infra.dynamic.verification:VerificationProvider",
}
