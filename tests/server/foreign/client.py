"""Everything that the server promises on the wire, asked by Python's grpcio.

    client.py ADDRESS FOLDER [AUTHORITY]

FOLDER holds the server's .proto files; with the certificate of
an AUTHORITY, a file, it speaks TLS.

The stubs are made from those files when the script starts; health and reflection come from
grpcio's own packages. One line for each check; the first that fails ends the script. At the end
it compares what it called with what the server's reflection lists: every method must be there.
"""

import faulthandler
import hashlib
import importlib
import pathlib
import random
import sys
import tempfile
import time
import zlib

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_tools import protoc

# Longest that a call, and the whole script, may take; only what hangs does.
CALL_SECONDS = 60
SCRIPT_SECONDS = 150
SIZES = [0, 100, 64 * 1024, 512 * 1024, 16 * 1024 * 1024]
ANSWER_BYTES_MAX = 32 * 1024 * 1024

CHECKS = []


def check(function):
    """Adds a function to what is run; its name says what it proves."""
    CHECKS.append(function)
    return function


class Recorder(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Notes which methods were called."""

    def __init__(self):
        self.called = set()

    def _intercept(self, go_on, details, request):
        method = details.method
        self.called.add(method if isinstance(method, str) else method.decode())
        return go_on(details, request)

    intercept_unary_unary = _intercept
    intercept_unary_stream = _intercept
    intercept_stream_stream = _intercept


class Server:
    """A channel to the server, its stubs, and words for what most checks say."""

    def __init__(self, address, stubs, authority):
        self.address = address
        self.authority = pathlib.Path(authority).read_bytes() if authority else None
        self.recorder = Recorder()
        self.aql, self.query, self.types, self.kv, self.aql_grpc, self.kv_grpc = stubs
        self.channel = self.connect()
        self.stub = self.aql_grpc.AqlServiceStub(self.channel)
        self.kv_stub = self.kv_grpc.KvServiceStub(self.channel)

    def connect(self, **settings):
        options = [
            ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
            # Or all channels of the process would share one connection.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        return grpc.intercept_channel(self.open(options, **settings), self.recorder)

    def open(self, options=(), **settings):
        """A channel, over TLS where an authority is known."""
        if self.authority is None:
            return grpc.insecure_channel(self.address, options=options, **settings)
        credentials = grpc.ssl_channel_credentials(self.authority)
        return grpc.secure_channel(self.address, credentials, options=options, **settings)

    def request(self, **query):
        """A request as existing clients send it."""
        return self.aql.QueryRequest(
            query=self.query.Query(**query),
            request_id="6f1c2d3e",
            timeout_ms=30_000,
            version=self.types.Version(major=0, minor=2, patch=0),
        )

    def ask(self, stub=None, **query):
        response = (stub or self.stub).ExecuteQuery(self.request(**query), timeout=CALL_SECONDS)
        assert response.request_id == "6f1c2d3e", response
        return response

    def result(self, stub=None, **query):
        response = self.ask(stub, **query)
        assert response.WhichOneof("response") == "result", response.error
        return response.result

    def error(self, **query):
        response = self.ask(**query)
        assert response.WhichOneof("response") == "error", "not refused"
        return response.error

    def batch(self, *queries):
        request = self.aql.BatchRequest(
            queries=[self.query.Query(**query) for query in queries],
            request_id="7a8b9c0d",
            timeout_ms=60_000,
            version=self.types.Version(major=0, minor=2, patch=0),
        )
        response = self.stub.ExecuteBatch(request, timeout=CALL_SECONDS)
        assert response.request_id == "7a8b9c0d", response
        return response

    def blob(self, data):
        metadata = self.types.CipherMetadata(
            size=len(data),
            compression=self.types.COMPRESSION_ZSTD,
            checksum=zlib.crc32(data),
            created_at=1_700_000_000,
            version=3,
        )
        return self.types.CipherBlob(data=data, metadata=metadata)

    def key(self, name):
        return self.types.Key(data=name if isinstance(name, bytes) else name.encode())

    def get(self, collection, key):
        return self.query.GetQuery(collection=collection, key=self.key(key))

    def set(self, collection, key, data):
        return self.query.SetQuery(
            collection=collection, key=self.key(key), value=self.blob(data)
        )

    def delete(self, collection, key):
        return self.query.DeleteQuery(collection=collection, key=self.key(key))

    def range(self, collection, start, end, limit=None):
        return self.query.RangeQuery(
            collection=collection, start=self.key(start), end=self.key(end), limit=limit
        )

    def at_least(self, data):
        """The condition that a value is not less than `data`."""
        value = self.types.CipherBlob(data=data)
        return self.types.Predicate(gte=self.types.GtePredicate(value=value))

    def store(self, collection, key, data):
        result = self.result(set=self.set(collection, key, data))
        assert result.success.affected_rows == 1, result


def ciphertext(size):
    """Bytes that do not compress, the same for the same size."""
    return random.Random(size).randbytes(size)


def keys(rows):
    return [row.key.data.decode() for row in rows]


def status_of(call):
    """The status of a call that must fail."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("the call came to a good end")


@check
def values_of_every_size_come_back_byte_for_byte_with_their_metadata(server):
    for size in SIZES:
        data = ciphertext(size)
        server.store("values", f"{size}", data)
        value = server.result(get=server.get("values", f"{size}")).single.value
        assert value.data == data, f"other bytes of {size}"
        assert value.metadata == server.blob(data).metadata, value.metadata


@check
def metadata_that_is_left_out_is_filled_in(server):
    bare = server.types.CipherBlob(data=b"bare")
    query = server.query.SetQuery(collection="values", key=server.key("bare"), value=bare)
    server.result(set=query)
    metadata = server.result(get=server.get("values", "bare")).single.value.metadata
    assert metadata.size == 4 and metadata.checksum == zlib.crc32(b"bare"), metadata
    assert abs(metadata.created_at - time.time()) < 3600, metadata


@check
def a_wrong_checksum_is_4004_and_nothing_is_stored(server):
    query = server.set("values", "wrong", b"sealed")
    query.value.metadata.checksum ^= 1
    error = server.error(set=query)
    assert error.code == 4004 and "checksum" in error.message, error
    result = server.result(get=server.get("values", "wrong"))
    assert result.WhichOneof("result") == "single" and not result.single.HasField("value"), result


@check
def an_absent_key_has_no_value_and_deletes_are_counted(server):
    assert not server.result(get=server.get("values", "absent")).single.HasField("value")
    server.store("values", "gone", b"v")
    for expected in (1, 0):
        result = server.result(delete=server.delete("values", "gone"))
        assert result.success.affected_rows == expected, result


@check
def ranges_filters_and_updates_reach_all_shards(server):
    for number in range(20):
        server.store("rows", f"k{number:02}", bytes([number]))
    rows = server.result(range=server.range("rows", "k05", "k15")).multi.values
    assert keys(rows) == [f"k{number:02}" for number in range(5, 15)], keys(rows)
    rows = server.result(range=server.range("rows", "", b"\xff" * 16, 3)).multi.values
    assert keys(rows) == ["k00", "k01", "k02"], keys(rows)
    query = server.query.FilterQuery(
        collection="rows", predicate=server.at_least(b"\x0a"), offset=2, limit=3
    )
    rows = server.result(filter=query).multi.values
    assert keys(rows) == ["k12", "k13", "k14"], keys(rows)
    add = server.types.AddUpdate(value=server.types.CipherBlob(data=b"\xf8"))
    query = server.query.UpdateQuery(
        collection="rows",
        predicate=server.at_least(b"\x08"),
        updates=[server.types.Update(add=add)],
    )
    assert server.result(update=query).success.affected_rows == 12
    rows = server.result(range=server.range("rows", "k08", "k10")).multi.values
    assert [row.value.data for row in rows] == [b"\x00", b"\x01"], rows


@check
def a_range_above_4_mib_is_6002_and_comes_as_a_stream(server):
    for number in range(9):
        server.store("large", bytes([number]), ciphertext(512 * 1024 + number))
    query = server.range("large", "", b"\xff")
    error = server.error(range=query)
    assert error.code == 6002 and "ExecuteStream" in error.message, error

    # With grpcio's own bound of 4 MiB for a message.
    with server.open() as channel:
        stub = server.aql_grpc.AqlServiceStub(grpc.intercept_channel(channel, server.recorder))
        *chunks, end = stub.ExecuteStream(server.request(range=query), timeout=CALL_SECONDS)
    sequence = [chunk.sequence for chunk in [*chunks, end]]
    assert sequence == list(range(len(chunks) + 1)), sequence
    assert [chunk.batch.has_more for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert end.WhichOneof("chunk") == "end" and end.end.total_count == 9, end
    rows = [row for chunk in chunks for row in chunk.batch.values]
    for number, row in enumerate(rows):
        assert row.key.data == bytes([number])
        assert row.value.data == ciphertext(512 * 1024 + number)
    assert len(rows) == 9


@check
def a_stream_tells_its_failure_in_the_status(server):
    request = server.request(range=server.range("", "", b"\xff"))
    code, text = status_of(lambda: list(server.stub.ExecuteStream(request, timeout=CALL_SECONDS)))
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "collection" in text, (code, text)


@check
def a_batch_is_done_in_order_or_not_at_all(server):
    response = server.batch(
        {"set": server.set("batch", "k", b"one")},
        {"get": server.get("batch", "k")},
        {"delete": server.delete("batch", "k")},
        {"get": server.get("batch", "k")},
    )
    assert response.WhichOneof("response") == "results", response
    set_, first, delete, second = response.results.results
    assert set_.success.affected_rows == 1 and delete.success.affected_rows == 1
    assert first.single.value.data == b"one" and not second.single.HasField("value")

    response = server.batch(
        {"set": server.set("batch", "k", b"two")}, {"get": server.get("batch", "")}
    )
    assert response.WhichOneof("response") == "error", response
    assert response.error.code == 6000, response
    assert response.error.message.startswith("Query 1 in batch failed: "), response
    assert not server.result(get=server.get("batch", "k")).single.HasField("value")

    response = server.batch()
    assert response.WhichOneof("response") == "results", response
    assert len(response.results.results) == 0, response


def sha256(data):
    return hashlib.sha256(data).digest()


@check
def conditions_compare_and_swap_values_over_all_shards(server):
    def swap(conditions, *queries):
        request = server.kv.ConditionalBatchRequest(
            queries=[server.query.Query(**query) for query in queries], conditions=conditions
        )
        return server.kv_stub.ConditionalBatch(request, timeout=CALL_SECONDS)

    def condition(key, **expected):
        return server.kv.Condition(collection="kv", key=server.key(key), **expected)

    names = [f"k{number}" for number in range(8)]
    absent = [condition(name, absent=server.kv.Absent()) for name in names]
    first = [{"set": server.set("kv", name, ciphertext(70_000))} for name in names]
    response = swap(absent, *first)
    assert len(response.results.results) == 8, response
    response = swap(absent, *first)
    assert response.WhichOneof("response") == "unmet", response
    assert response.unmet.index == 0 and response.unmet.key.data == b"k0", response
    assert response.unmet.sha256 == sha256(ciphertext(70_000)), response

    request = server.kv.GetRequest(collection="kv", key=server.key("k3"))
    found = server.kv_stub.Get(request, timeout=CALL_SECONDS).found
    assert found.value.data == ciphertext(70_000) and found.sha256 == sha256(found.value.data)
    same = [condition(name, sha256=found.sha256) for name in names]
    response = swap(same, {"set": server.set("kv", "k3", b"new")})
    assert response.results.results[0].success.affected_rows == 1, response
    response = swap(same, {"delete": server.delete("kv", "k0")})
    assert response.unmet.index == 3 and response.unmet.sha256 == sha256(b"new"), response
    present = condition("nothing", present=server.kv.Present())
    response = swap([present], {"delete": server.delete("kv", "k0")})
    assert response.unmet.WhichOneof("found") == "absent", response
    assert server.result(get=server.get("kv", "k0")).single.value.data == ciphertext(70_000)
    request.key.data = b"nothing"
    response = server.kv_stub.Get(request, timeout=CALL_SECONDS)
    assert response.WhichOneof("response") == "absent", response


@check
def an_interactive_stream_answers_in_order_with_errors_in_band(server):
    def requests():
        for number in range(300):
            key = f"k{number}" if number % 100 else ""
            request = server.request(set=server.set("talk", key, ciphertext(number)))
            request.request_id = f"{number}"
            yield request

    answers = server.stub.ExecuteInteractive(requests(), timeout=CALL_SECONDS)
    count = 0
    for number, answer in enumerate(answers):
        assert answer.request_id == f"{number}", (number, answer)
        expected = "result" if number % 100 else "error"
        assert answer.WhichOneof("response") == expected, (number, answer)
        count += 1
    assert count == 300, count
    value = server.result(get=server.get("talk", "k299")).single.value
    assert value.data == ciphertext(299)


@check
def refusals_come_in_band_with_their_codes(server):
    request = server.request(get=server.get("c", "k"))
    request.version.major = 1
    response = server.stub.ExecuteQuery(request, timeout=CALL_SECONDS)
    assert response.error.code == 2001, response
    response = server.stub.ExecuteQuery(server.aql.QueryRequest(), timeout=CALL_SECONDS)
    assert response.error.code == 2003, response
    assert response.error.message == "Missing required field: query", response
    for query, code in [
        ({"get": server.query.GetQuery(collection="c")}, 2003),
        ({"get": server.get("c", "")}, 6000),
        ({"get": server.get("c", b"k" * 65537)}, 6000),
        ({"get": server.get("", "k")}, 6003),
        ({"get": server.get("c\n", "k")}, 6003),
        ({"set": server.set("c", "__admin__:STATS", b"v")}, 6000),
    ]:
        error = server.error(**query)
        assert error.code == code, error
        assert error.category == 4, error
    unknown = server.result(get=server.get("c", "__admin__:NOSUCHCOMMAND"))
    assert not unknown.single.HasField("value")
    malformed = server.channel.unary_unary(
        "/amaters.aql.AqlService/ExecuteQuery",
        request_serializer=bytes,
        response_deserializer=server.aql.QueryResponse.FromString,
    )
    response = malformed(b"\xff\xff\xff", timeout=CALL_SECONDS)
    assert response.error.code == 2002, response


@check
def an_unknown_method_is_unimplemented(server):
    call = server.connect().unary_unary("/amaters.aql.AqlService/Nothing")
    code, text = status_of(lambda: call(b"", timeout=CALL_SECONDS))
    assert code == grpc.StatusCode.UNIMPLEMENTED, (code, text)


@check
def a_message_above_64_mib_is_refused_and_the_channel_lives_on(server):
    value = server.types.CipherBlob(data=bytes(65 * 1024 * 1024))
    query = server.query.SetQuery(collection="c", key=server.key("huge"), value=value)
    code, text = status_of(lambda: server.ask(set=query))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED, (code, text)
    assert "limits.message_bytes_max" in text, text
    server.store("c", "k", b"v")


@check
def gzip_is_spoken_both_ways(server):
    with server.connect(compression=grpc.Compression.Gzip) as channel:
        stub = server.aql_grpc.AqlServiceStub(channel)
        for data in (b"", bytes(300_000), ciphertext(512 * 1024)):
            server.result(stub, set=server.set("gzip", "k", data))
            assert server.result(stub, get=server.get("gzip", "k")).single.value.data == data
            assert server.result(get=server.get("gzip", "k")).single.value.data == data
        request = server.request(range=server.range("gzip", "", b"\xff"))
        *chunks, end = stub.ExecuteStream(request, timeout=CALL_SECONDS)
        assert end.end.total_count == 1
        assert chunks[0].batch.values[0].value.data == ciphertext(512 * 1024)


@check
def both_healths_and_the_server_info_are_told(server):
    answer = server.stub.HealthCheck(server.aql.HealthCheckRequest(), timeout=CALL_SECONDS)
    assert answer.status == server.aql.HEALTH_SERVING, answer
    info = server.stub.GetServerInfo(server.aql.ServerInfoRequest(), timeout=CALL_SECONDS)
    assert (info.version.major, info.version.minor, info.version.patch) == (0, 2, 0), info
    assert "query.filter" in info.capabilities, info

    health = health_pb2_grpc.HealthStub(server.channel)
    for service in ("", "amaters.aql.AqlService", "amaters.kv.v1.KvService"):
        request = health_pb2.HealthCheckRequest(service=service)
        serving = health_pb2.HealthCheckResponse.SERVING
        assert health.Check(request, timeout=CALL_SECONDS).status == serving
        watch = health.Watch(request, timeout=CALL_SECONDS)
        assert next(watch).status == serving
        watch.cancel()
    request = health_pb2.HealthCheckRequest(service="nobody")
    code, text = status_of(lambda: health.Check(request, timeout=CALL_SECONDS))
    assert code == grpc.StatusCode.NOT_FOUND, (code, text)


def reflected(server):
    """A descriptor pool that knows nothing but what the server tells it."""
    database = ProtoReflectionDescriptorDatabase(server.channel)
    return database, descriptor_pool.DescriptorPool(database)


def method_path(method):
    return f"/{method.containing_service.full_name}/{method.name}"


def message_class(descriptor):
    return message_factory.GetMessageClass(descriptor)


@check
def reflection_lists_and_describes_every_service(server):
    database, pool = reflected(server)
    services = set(database.get_services())
    expected = {
        "amaters.admin.v1.AdminService",
        "amaters.aql.AqlService",
        "amaters.kv.v1.KvService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert services == expected, services
    service = pool.FindServiceByName("amaters.aql.AqlService")
    ours = server.aql.DESCRIPTOR.services_by_name["AqlService"]
    assert [method.name for method in service.methods] == [method.name for method in ours.methods]
    for theirs, our in zip(service.methods, ours.methods):
        assert theirs.input_type.full_name == our.input_type.full_name
        assert theirs.output_type.full_name == our.output_type.full_name
    for name in ("amaters.query.UpdateQuery", "amaters.types.CipherMetadata"):
        fields = [(field.name, field.number) for field in pool.FindMessageTypeByName(name).fields]
        known = server.query.DESCRIPTOR.pool.FindMessageTypeByName(name)
        assert fields == [(field.name, field.number) for field in known.fields], fields


@check
def reflection_alone_suffices_to_store_and_read_a_value(server):
    _, pool = reflected(server)
    service = pool.FindServiceByName("amaters.aql.AqlService")
    method = service.FindMethodByName("ExecuteQuery")
    request_class = message_class(method.input_type)
    call = server.channel.unary_unary(
        method_path(method),
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_class(method.output_type).FromString,
    )

    request = request_class(request_id="dynamic")
    query = getattr(request.query, "set")
    query.collection = "dynamic"
    query.key.data = b"k"
    query.value.data = b"stored without a stub"
    response = call(request, timeout=CALL_SECONDS)
    assert response.request_id == "dynamic", response
    assert response.result.success.affected_rows == 1, response

    request = request_class()
    request.query.get.collection = "dynamic"
    request.query.get.key.data = b"k"
    response = call(request, timeout=CALL_SECONDS)
    assert response.result.single.value.data == b"stored without a stub", response


@check
def reflection_v1_is_found_by_v1alpha_and_answers_the_same(server):
    _, pool = reflected(server)
    service = pool.FindServiceByName("grpc.reflection.v1.ServerReflection")
    method = service.FindMethodByName("ServerReflectionInfo")
    request_class = message_class(method.input_type)
    call = server.channel.stream_stream(
        method_path(method),
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_class(method.output_type).FromString,
    )
    requests = [
        request_class(list_services=""),
        request_class(file_containing_symbol="amaters.aql.AqlService"),
        request_class(file_by_filename="nothing.proto"),
    ]
    listed, found, absent = call(iter(requests), timeout=CALL_SECONDS)
    assert len(listed.list_services_response.service) == 6, listed
    assert len(found.file_descriptor_response.file_descriptor_proto) == 4, found
    assert absent.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], absent


@check
def every_method_of_every_service_was_called(server):
    database, pool = reflected(server)
    methods = {
        method_path(method)
        for name in database.get_services()
        # Its calls are tried where what they do can be seen.
        if name != "amaters.admin.v1.AdminService"
        for method in pool.FindServiceByName(name).methods
    }
    assert methods <= server.recorder.called, methods - server.recorder.called


def stubs(folder, made):
    """Makes stubs of the server's own files and gives the modules that the checks use."""
    files = ["types.proto", "query.proto", "errors.proto", "aql.proto", "kv.proto", "admin.proto"]
    words = ["protoc", f"-I{folder}", f"--python_out={made}", f"--grpc_python_out={made}"]
    assert protoc.main(words + files) == 0, "protoc refuses the .proto files"
    sys.path.insert(0, made)
    modules = ("aql_pb2", "query_pb2", "types_pb2", "kv_pb2", "aql_pb2_grpc", "kv_pb2_grpc")
    return [importlib.import_module(name) for name in modules]


def main(address, folder, authority=None):
    faulthandler.dump_traceback_later(SCRIPT_SECONDS, exit=True)
    with tempfile.TemporaryDirectory() as made:
        server = Server(address, stubs(folder, made), authority)
        for function in CHECKS:
            function(server)
            print("ok:", function.__name__.replace("_", " "), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
