"""Retired: the roles of a service account, which go with the account. The states of the previous release name it."""

from dive_infra.dynamic.base import Provider


class ServiceAccountRolesProvider(Provider):
    """Deletes nothing; no program declares the resource."""
