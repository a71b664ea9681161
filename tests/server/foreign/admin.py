"""What operators ask of AdminService, by Python's grpcio and what reflection tells alone.

    admin.py ADDRESS FOLDER

The server at ADDRESS was started with FOLDER/a.toml, keeps its data in FOLDER/data and copies so
slowly that a backup can be watched. One line for each check; the first that fails ends the script.
At the end every method of the service was called, and the server is on its way out.
"""

import faulthandler
import pathlib
import re
import sys
import time

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

# Longest that a call, and the whole script, may take; only what hangs does.
CALL_SECONDS = 60
SCRIPT_SECONDS = 150
# Of what is stored: at one megabyte a second a copy takes two seconds.
VALUES = 40
VALUE_BYTES = 50_000

WAITING, RUNNING, DONE, FAILED, CANCELLED = 1, 2, 3, 4, 5

CHECKS = []


def check(function):
    """Adds a function to what is run; its name says what it proves."""
    CHECKS.append(function)
    return function


class Service:
    """A service as reflection describes it: each method takes the fields of its request."""

    def __init__(self, channel, pool, name):
        self.channel = channel
        self.methods = pool.FindServiceByName(name).methods_by_name
        self.called = set()

    def __getattr__(self, name):
        method = self.methods[name]
        request_class = message_factory.GetMessageClass(method.input_type)
        kind = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        call = kind(
            f"/{method.containing_service.full_name}/{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        self.called.add(name)
        return lambda **fields: call(request_class(**fields), timeout=CALL_SECONDS)


class Server:
    """A channel to the server, and words for what most checks say."""

    def __init__(self, address, folder):
        self.address = address
        self.folder = pathlib.Path(folder)
        self.snapshots = self.folder / "data" / "snapshots"
        self.channel = self.connect()
        self.pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        self.admin = Service(self.channel, self.pool, "amaters.admin.v1.AdminService")
        self.aql = Service(self.channel, self.pool, "amaters.aql.AqlService")

    def connect(self):
        # Or all channels of the process would share one connection.
        return grpc.insecure_channel(self.address, [("grpc.use_local_subchannel_pool", 1)])

    def batch(self, *queries):
        response = self.aql.ExecuteBatch(queries=queries)
        assert response.WhichOneof("response") == "results", response.error
        return response.results.results

    def contents(self):
        """All that is in the collection, as the server streams it."""
        span = {"collection": "sealed", "start": {"data": b"\0"}, "end": {"data": b"\xff"}}
        rows = {}
        for chunk in self.aql.ExecuteStream(query={"range": span}):
            for row in chunk.batch.values:
                rows[row.key.data] = row.value.data
        return rows


def get(key):
    return {"get": {"collection": "sealed", "key": {"data": key}}}


def put(key, data):
    return {"set": {"collection": "sealed", "key": {"data": key}, "value": {"data": data}}}


def delete(key):
    return {"delete": {"collection": "sealed", "key": {"data": key}}}


def status_of(call):
    """Code and text of a call that must fail, before its first answer or after some."""
    try:
        answer = call()
        if hasattr(answer, "__next__"):
            for _ in answer:
                pass
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("not refused")


def refused(code, text, call):
    told = status_of(call)
    assert told[0] == code and text in told[1], told


def ended(jobs):
    """The last word on a job, which must have been well told until then."""
    jobs = list(jobs)
    last, before = jobs[-1], jobs[:-1]
    assert all(job.state in (WAITING, RUNNING) for job in before), jobs
    assert last.state in (DONE, FAILED, CANCELLED), jobs
    assert {job.id for job in jobs} == {last.id}, jobs
    copied = [job.progress.bytes for job in jobs]
    assert copied == sorted(copied), copied
    # One that was cancelled early enough has never begun.
    begun = last.started_at_ms if last.HasField("started_at_ms") else last.created_at_ms
    assert last.created_at_ms <= begun <= last.ended_at_ms, last
    assert bool(last.error) == (last.state == FAILED), last
    assert bool(last.WhichOneof("result")) == (last.state == DONE), last
    return last, before


def done(jobs):
    last, _ = ended(jobs)
    assert last.state == DONE, last
    return last


@check
def reflection_describes_what_is_called(server):
    names = {"Backup", "Restore", "Verify", "Compact", "WatchJob", "Logs"}
    streams = {name for name, method in server.admin.methods.items() if method.server_streaming}
    assert streams == names, streams
    assert not any(method.client_streaming for method in server.admin.methods.values())


@check
def hot_keys_and_big_values_are_told_with_bounds(server):
    server.batch(*[put(b"key-%03d" % n, bytes([n]) * VALUE_BYTES) for n in range(VALUES)])
    longest = b"x" * (2 * VALUE_BYTES)
    server.batch(put(b"longest", longest), delete(b"longest"))
    # Of keys without values, which are asked for as well.
    gets = [b"hot"] * 900 + [b"warm"] * 80 + [b"cool"] * 20
    for _ in range(8):
        # Over both shards: a key is told once, by the reactor that owns it.
        server.batch(*[get(key) for key in gets])
    told = server.admin.HotKeys()
    assert told.sampled_one_in == 32 and told.samples == sum(key.samples for key in told.keys)
    first = told.keys[0]
    assert (first.collection, first.key, first.key_bytes) == ("sealed", b"hot", 3), told
    assert first.write_samples == 0 < first.samples, first
    rates = [key.requests_per_second for key in told.keys]
    assert rates == sorted(rates, reverse=True), rates
    assert abs(sum(rates) / told.requests_per_second - 1) < 1e-6, told
    for key in told.keys:
        least, most = key.requests_per_second_least, key.requests_per_second_most
        assert 0 <= least <= key.requests_per_second <= most, key
        stands_for = key.samples * told.sampled_one_in / told.window_seconds
        # Reactors begin one after the other, and are asked one after the other.
        assert abs(key.requests_per_second / stands_for - 1) < 0.5, key
    asked = 900 * 8 / told.window_seconds
    # Far wider than the bounds, which chance may pass.
    assert asked / 3 < first.requests_per_second < asked * 3, (asked, first)
    cut = server.admin.HotKeys(limit=1)
    assert len(cut.keys) == 1 and cut.keys[0].key == b"hot", cut
    assert cut.others_per_second_max > told.others_per_second_max, (cut, told)

    told = server.admin.BigValues(limit=3).values
    assert [value.value_bytes for value in told] == [len(longest), VALUE_BYTES, VALUE_BYTES], told
    assert told[0].key == b"longest" and abs(told[0].seen_at_ms / 1000 - time.time()) < 120, told
    assert {value.shard for value in server.admin.BigValues(limit=1000).values} == {0, 1}


@check
def a_backup_tells_how_far_it_is_and_what_it_has(server):
    last, before = ended(server.admin.Backup(directory="full"))
    assert last.state == DONE, last
    under_way = [job.progress for job in before if job.state == RUNNING and job.progress.bytes]
    assert under_way and all(progress.step for progress in under_way), before
    # About all that there is is known before it is copied.
    for progress in under_way:
        assert progress.bytes < progress.bytes_total < 2 * VALUES * VALUE_BYTES, progress
    result = last.backup
    assert (result.keys, result.deletions, result.incremental) == (VALUES, 0, False), result
    assert result.directory == str(server.snapshots / "full") and not result.parent_id, result
    assert VALUES * VALUE_BYTES < result.bytes < result.size_bytes, result
    files = sum(path.stat().st_size for path in (server.snapshots / "full").rglob("*"))
    assert result.size_bytes <= files, (result, files)
    assert (last.subject, last.scheduled) == ("full", False), last
    server.full = last


@check
def an_incremental_backup_has_what_changed(server):
    server.batch(put(b"new", b"n" * 1000), delete(b"key-000"))
    result = done(server.admin.Backup(directory="changes", incremental=True, parent="full")).backup
    assert result.incremental and result.parent_id == server.full.backup.backup_id, result
    assert (result.keys, result.deletions) == (1, 1) and result.bytes < 2000, result


@check
def a_restore_replaces_adds_or_only_looks(server):
    before = server.contents()
    looked = done(server.admin.Restore(directory="full", dry_run=True)).restore
    told = (looked.keys, looked.dry_run, looked.schema_version, looked.backups)
    assert told == (VALUES, True, 2, 1), looked
    assert server.contents() == before

    done(server.admin.Restore(directory="full"))
    assert server.contents() == before | {b"key-000": bytes(VALUE_BYTES)}
    chain = done(server.admin.Restore(directory="changes", replace=True)).restore
    assert (chain.keys, chain.backups) == (VALUES, 2), chain
    assert server.contents() == before


@check
def verify_reads_a_backup_or_what_the_server_has_and_names_damage(server):
    found = done(server.admin.Verify(directory="full")).verify
    assert (found.keys, found.damages_total, list(found.damages)) == (VALUES, 0, []), found
    own = done(server.admin.Verify()).verify
    assert own.keys >= VALUES and own.bytes > (VALUES - 1) * VALUE_BYTES and own.files > 1, own

    [chunk, *_] = sorted((server.snapshots / "changes").glob("data-*.bin"))
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    found = done(server.admin.Verify(directory="changes")).verify
    assert found.damages_total == len(found.damages) > 0, found
    assert any(str(chunk) in damage for damage in found.damages), found
    last, _ = ended(server.admin.Restore(directory="changes"))
    assert last.state == FAILED and str(chunk) in last.error, last


@check
def paths_out_of_the_roots_and_what_is_not_there_fail_in_the_last_message(server):
    admin, there = server.admin, sorted(server.folder.rglob("*"))
    for path in ("../out", "/tmp/out", "", "full/../../out", "nul\0", "x" * 5000):
        for jobs in (
            admin.Backup(directory=path),
            admin.Restore(directory=path),
            *([admin.Verify(directory=path)] if path else []),
        ):
            last, _ = ended(jobs)
            assert last.state == FAILED and "backups lie under" in last.error, last
            assert "snapshot.dir" in last.error and "admin.path_roots" in last.error, last
    for jobs in (admin.Restore(directory="nothing"), admin.Verify(directory="nothing")):
        last, _ = ended(jobs)
        assert last.state == FAILED and str(server.snapshots / "nothing") in last.error, last
    last, _ = ended(admin.Backup(directory="full"))
    assert last.state == FAILED and "is there already" in last.error, last
    last, _ = ended(admin.Backup(directory="child", incremental=True, parent="nothing"))
    assert last.state == FAILED and "nothing" in last.error, last
    assert sorted(server.folder.rglob("*")) == there


@check
def what_makes_no_sense_is_refused_by_the_status(server):
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    admin, long = server.admin, "c" * 300
    refused(invalid, "1 to 255", lambda: admin.Compact(collection=long))
    refused(invalid, "1 to 255", lambda: admin.Restore(directory="full", collection=long))
    absent = grpc.StatusCode.NOT_FOUND
    refused(absent, "job 4711 is not known", lambda: admin.WatchJob(id=4711))
    refused(absent, "job 4711 is not known", lambda: admin.CancelJob(id=4711))
    raw = server.channel.unary_unary("/amaters.admin.v1.AdminService/Stats")
    refused(invalid, "", lambda: raw(b"\xff\xff\xff", timeout=CALL_SECONDS))
    unknown = server.channel.unary_unary("/amaters.admin.v1.AdminService/Frobnicate")
    refused(grpc.StatusCode.UNIMPLEMENTED, "", lambda: unknown(b"", timeout=CALL_SECONDS))


@check
def whoever_hangs_up_cancels_unless_the_job_is_detached(server):
    admin = server.admin
    jobs = admin.Backup(directory="left")
    first = next(jobs)
    jobs.cancel()
    last, _ = ended(admin.WatchJob(id=first.id))
    assert last.state == CANCELLED, last
    assert not list(server.snapshots.glob("left*"))

    jobs = admin.Backup(directory="detached", detach=True)
    first = next(jobs)
    jobs.cancel()
    assert done(admin.WatchJob(id=first.id)).backup.keys == VALUES
    assert (server.snapshots / "detached").is_dir()


@check
def a_job_is_listed_and_cancelled_by_its_number(server):
    admin = server.admin
    jobs = admin.Backup(directory="ended")
    running, waiting = next(jobs), next(admin.Verify(detach=True))
    # Before the one that runs can end.
    assert admin.CancelJob(id=waiting.id).id == waiting.id
    assert admin.CancelJob(id=running.id).id == running.id
    listed = list(admin.ListJobs().jobs)
    assert [job.id for job in listed[:2]] == [waiting.id, running.id], listed
    assert server.full.id in {job.id for job in listed}
    last, _ = ended(jobs)
    assert last.state == CANCELLED and not last.WhichOneof("result"), last
    assert list(admin.WatchJob(id=waiting.id))[-1].state == CANCELLED
    assert not list(server.snapshots.glob("ended*"))
    # Too late.
    assert admin.CancelJob(id=server.full.id).state == DONE


@check
def logs_are_told_and_followed_without_a_gap(server):
    admin = server.admin
    lines = list(admin.Logs(lines=5))
    numbers = [line.sequence for line in lines]
    assert len(lines) == 5 and numbers == sorted(set(numbers)), lines
    assert all(abs(line.at_ms / 1000 - time.time()) < SCRIPT_SECONDS for line in lines), lines
    server.aql.ExecuteQuery(query=put(b"told", b"t"))
    [last] = admin.Logs(lines=1)
    assert re.fullmatch(r"SET told \(\d+ ms\)", last.message), last
    follow = admin.Logs(follow=True, since=numbers[-1] + 1)
    marks = [b"mark-%d" % number for number in range(300)]
    seen = []
    for number, mark in enumerate(marks, start=1):
        server.aql.ExecuteQuery(query=put(mark, b"m"))
        # The server keeps 256 lines of a reactor for those who read slowly.
        if number % 50 == 0:
            seen += wait_for(follow, mark)
    follow.cancel()
    numbers = [line.sequence for line in seen]
    assert numbers == sorted(set(numbers)) and numbers[0] > lines[-1].sequence, numbers
    told = [line.message.split()[1].encode() for line in seen if "mark-" in line.message]
    assert told == marks, told
    server.batch(*[delete(mark) for mark in [b"told", *marks]])


def wait_for(lines, mark):
    """Lines up to the one about a key."""
    seen = []
    for line in lines:
        seen.append(line)
        if f" {mark.decode()} " in line.message:
            return seen
    raise AssertionError(f"no line about {mark} in {seen}")


@check
def figures_are_those_of_all_shards(server):
    plain, told = server.admin.Stats(), server.admin.Stats(detailed=True)
    assert not plain.shards and [shard.shard for shard in told.shards] == [0, 1], told
    assert re.fullmatch(r"\d+\.\d+\.\d+", told.version) and told.connections >= 1, told
    assert told.requests > VALUES and told.errors > 0 and told.latency.mean_ms > 0, told
    assert told.bytes_received > VALUES * VALUE_BYTES < told.bytes_sent, told
    for name in ("keys", "tables", "table_bytes", "blob_bytes", "gets", "sets", "log_bytes"):
        parts = sum(getattr(shard, name) for shard in told.shards)
        assert getattr(told.total, name) == parts, (name, told)
    assert told.total.blob_bytes > 0 and not told.total.poisoned, told


@check
def compaction_merges_what_there_is(server):
    result = done(server.admin.Compact()).compact
    assert result.tables_before and result.tables_after <= result.tables_before, result
    assert done(server.admin.Compact(collection="sealed")).subject == "sealed"


@check
def a_reload_is_taken_or_refused_whole(server):
    file = server.folder / "a.toml"
    before = file.read_text()
    file.write_text(before.replace("[snapshot]", "[logging]\nlevel = \"debug\"\n[snapshot]"))
    told = server.admin.Reload()
    assert told.taken and any("logging.level" in line for line in told.lines), told
    file.write_text(before + "\n[storage.wal]\nsync_mode = \"perhaps\"\n")
    told = server.admin.Reload()
    assert not told.taken, told
    assert any("sync_mode" in line and "perhaps" in line for line in told.lines), told
    file.write_text(before)
    assert server.admin.Reload().taken
    told = server.admin.Reload()
    assert told.taken and not told.lines and "no changes" in told.summary, told


@check
def connections_are_listed_and_closed(server):
    admin, second = server.admin, server.connect()
    other = Service(second, server.pool, "amaters.admin.v1.AdminService")
    known = {each.id for each in admin.ListConnections().connections}
    other.Stats()
    there = {each.id: each for each in admin.ListConnections().connections}
    [new] = there.keys() - known
    # That of this call.
    assert [each.requests_under_way for each in there.values()].count(1) == 1, there
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", each.address) for each in there.values()), there
    assert {each.reactor for each in there.values()} <= {0, 1}, there

    assert admin.CloseConnections(ids=[4711]).closed == 0
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    refused(invalid, "nothing was closed", lambda: admin.CloseConnections())
    refused(invalid, "is no IP address", lambda: admin.CloseConnections(address="nowhere"))
    assert admin.CloseConnections(address="127.0.0.2").closed == 0
    assert admin.CloseConnections(ids=[new]).closed == 1
    wait_until(lambda: new not in {each.id for each in admin.ListConnections().connections})
    # Whoever was told goodbye comes back by itself.
    assert other.Stats().connections >= 1
    everybody = admin.CloseConnections(address="127.0.0.1").closed
    assert everybody >= 2, everybody
    wait_until(lambda: not known & {each.id for each in admin.ListConnections().connections})
    second.close()


def wait_until(is_so):
    deadline = time.monotonic() + CALL_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@check
def drain_says_goodbye_when_every_method_was_called(server):
    assert server.admin.Drain().connections >= 1
    methods = set(server.admin.methods)
    assert server.admin.called == methods, methods - server.admin.called


def main(address, folder):
    faulthandler.dump_traceback_later(SCRIPT_SECONDS, exit=True)
    server = Server(address, folder)
    for function in CHECKS:
        function(server)
        print("ok:", function.__name__.replace("_", " "), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
