"""A collector of OpenTelemetry, which receives traces by OTLP over gRPC."""
from concurrent import futures
from dataclasses import dataclass

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from .common import wait_for

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    is_error: bool
    attributes: dict


class Collector:
    """Listens on a port of its own until it is closed, and keeps all spans."""

    def __init__(self):
        self.spans: list[Span] = []
        export = grpc.unary_unary_rpc_method_handler(
            self.export, trace_service_pb2.ExportTraceServiceRequest.FromString, lambda answer: answer.SerializeToString()
        )
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": export})])
        self.url = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def export(self, request, _):
        for resource in request.resource_spans:
            service = attributes_of(resource.resource.attributes)["service.name"]
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                ids = (identity.hex() for identity in (span.trace_id, span.span_id, span.parent_span_id))
                self.spans.append(Span(service, span.name, span.kind, *ids, span.status.code == 2, attributes_of(span.attributes)))
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str, service: str | None = None) -> list[Span]:
        return [span for span in self.spans if span.name == name and service in (None, span.service)]

    def wait_for(self, name: str, count: int = 1) -> list[Span]:
        wait_for(lambda: len(self.named(name)) >= count, 30)
        return self.named(name)

    def close(self) -> None:
        self.server.stop(None)


def attributes_of(pairs) -> dict:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
