"""Every kind of call, what it needs, and what must come of it: an answer and lines of the audit."""

import grpc
from client import CALL_SECONDS
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

COLLECTION = "doors"
DONE = ("done",)
# What each role may do.
ROLES = {
    "admin": {"read", "write", "admin"},
    "user": {"read", "write"},
    "reader": {"read"},
    None: set(),
}


class Call:
    """A way to ask for something.

    `ask` takes a door and headers, and gives answers. `needs` are the permissions of its parts. Of
    a call that is `whole`, the first part that is denied ends it; otherwise each part is answered.
    `in_band` says that a refusal is an answer, and not a status.
    """

    def __init__(self, name, ask, needs=(), in_band=False, whole=True, public=False):
        self.name, self.ask, self.needs = name, ask, needs
        self.in_band, self.whole, self.public = in_band, whole, public

    def outcomes(self, door, headers):
        """What comes of it."""
        try:
            answers = [outcome(answer) for answer in self.ask(door, headers)]
        except grpc.RpcError as error:
            return [("status", error.code().name, error.details())]
        return answers[-1:] if self.whole else answers

    def of_stranger(self, code, category, text):
        """What must come of it for somebody who is not known."""
        if self.public:
            return [DONE]
        if self.in_band:
            return [("error", code, category, text)]
        return [("status", "UNAUTHENTICATED", text)]

    def of_known(self, role):
        """The same for somebody of this role, and the decisions that the audit tells."""
        if not self.needs:
            return [DONE], []
        outcomes, lines = [], []
        for need in self.needs:
            is_allowed = need in ROLES[role]
            outcomes.append(DONE if is_allowed else self.denied(need))
            lines.append(decision(need, "success" if is_allowed else "denied"))
            if self.whole and not is_allowed:
                break
        return (outcomes[-1:] if self.whole else outcomes), lines

    def denied(self, need):
        """The answer to a part that is not allowed."""
        of_command = "admin commands need the permission server:admin"
        text = of_command if need == "admin" else f"may not {need}"
        if self.in_band or not self.whole:
            return ("error", 3002, "CATEGORY_CLIENT_ERROR", text)
        return ("status", "PERMISSION_DENIED", text)


def outcome(answer):
    """What an answer says: done, or the error that is in it."""
    if "response" not in answer.DESCRIPTOR.oneofs_by_name:
        return DONE
    if answer.WhichOneof("response") != "error":
        return DONE
    error = answer.error
    categories = error.DESCRIPTOR.fields_by_name["category"].enum_type
    return ("error", error.code, categories.values_by_number[error.category].name, error.message)


def decision(need, result):
    """A line about something that was asked for: its kind, action, resource and result."""
    if need == "admin":
        return ("admin", "STATS", "server", result)
    return ("authorization", need, f"collection:{COLLECTION}", result)


def unary(method, request):
    """A call with one answer; both are made from a door."""
    return lambda door, headers: [
        method(door)(request(door), metadata=headers, timeout=CALL_SECONDS)
    ]


def streamed(method, requests):
    """A call with many answers."""
    return lambda door, headers: method(door)(
        requests(door), metadata=headers, timeout=CALL_SECONDS
    )


def get(door):
    return door.get(COLLECTION, "k")


def put(door):
    return door.set(COLLECTION, "k", b"sealed")


def command(door):
    return door.get(COLLECTION, "__admin__:STATS")


def execute(**query):
    """`ExecuteQuery` of a query of one kind."""
    (kind, make), = query.items()
    return unary(
        lambda door: door.stub.ExecuteQuery, lambda door: door.request(**{kind: make(door)})
    )


def batch(door):
    queries = [door.query.Query(get=get(door)), door.query.Query(set=put(door))]
    return door.aql.BatchRequest(queries=queries)


def swap(door):
    condition = door.kv.Condition(
        collection=COLLECTION, key=door.key("nothing"), absent=door.kv.Absent()
    )
    queries = [door.query.Query(set=put(door))]
    return door.kv.ConditionalBatchRequest(queries=queries, conditions=[condition])


def reflection(version):
    """The list of services, by this version of server reflection."""
    def method(door):
        return door.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

    request = reflection_pb2.ServerReflectionRequest(list_services="")
    return streamed(method, lambda door: iter([request]))


CALLS = [
    Call("get", execute(get=get), ["read"], in_band=True),
    Call("set", execute(set=put), ["write"], in_band=True),
    Call("command", execute(get=command), ["admin"], in_band=True),
    Call(
        "batch", unary(lambda door: door.stub.ExecuteBatch, batch), ["read", "write"], in_band=True
    ),
    Call(
        "stream",
        streamed(
            lambda door: door.stub.ExecuteStream,
            lambda door: door.request(range=door.range(COLLECTION, "", b"\xff")),
        ),
        ["read"],
    ),
    Call(
        "interactive",
        streamed(
            lambda door: door.stub.ExecuteInteractive,
            lambda door: iter([door.request(get=get(door)), door.request(set=put(door))]),
        ),
        ["read", "write"],
        whole=False,
    ),
    Call(
        "KvService.Get",
        unary(
            lambda door: door.kv_stub.Get,
            lambda door: door.kv.GetRequest(collection=COLLECTION, key=door.key("k")),
        ),
        ["read"],
        in_band=True,
    ),
    Call(
        "KvService.ConditionalBatch",
        unary(lambda door: door.kv_stub.ConditionalBatch, swap),
        ["read", "write"],
        in_band=True,
    ),
    Call(
        "AdminService.Stats",
        unary(lambda door: door.admin_stub.Stats, lambda door: door.admin.StatsRequest()),
        ["admin"],
    ),
    Call(
        "GetServerInfo",
        unary(lambda door: door.stub.GetServerInfo, lambda door: door.aql.ServerInfoRequest()),
    ),
    Call("reflection v1", reflection("v1")),
    Call("reflection v1alpha", reflection("v1alpha")),
    Call(
        "HealthCheck",
        unary(lambda door: door.stub.HealthCheck, lambda door: door.aql.HealthCheckRequest()),
        public=True,
    ),
    Call(
        "grpc.health.v1",
        unary(
            lambda door: health_pb2_grpc.HealthStub(door.channel).Check,
            lambda door: health_pb2.HealthCheckRequest(),
        ),
        public=True,
    ),
]
