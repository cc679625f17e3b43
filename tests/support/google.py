"""A stand-in for Google Secret Manager on loopback: the service's own messages and method, over gRPC without TLS."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from google.cloud.secretmanager_v1.types import AccessSecretVersionRequest, AccessSecretVersionResponse

_SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"


@contextmanager
def secret_manager(project: str, secrets: Mapping[str, bytes]) -> Iterator[str]:
    """Serve the latest `secrets` of one project, and yield the address. Other projects are refused."""

    def access(request: AccessSecretVersionRequest, context: grpc.ServicerContext) -> AccessSecretVersionResponse:
        _, asked, _, secret, _, version = request.name.split("/")
        if asked != project:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, f"Permission denied on project {asked}")
        if secret not in secrets or version != "latest":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Secret [{request.name}] not found or has no versions.")
        return AccessSecretVersionResponse(name=request.name, payload={"data": secrets[secret]})

    method = grpc.unary_unary_rpc_method_handler(
        access,
        request_deserializer=AccessSecretVersionRequest.deserialize,
        response_serializer=AccessSecretVersionResponse.serialize,
    )
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"AccessSecretVersion": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)
