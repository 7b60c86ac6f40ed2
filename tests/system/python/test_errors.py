"""The Python client: errors have code, reason and remedy, and are retried where that can help."""
import uuid

import trustme

from ..common import installed

TOKEN = "a-very-secret-token"


def test_another_engine_is_never_silent(start, program, short, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    models = installed(tmp_path / "models", "first", damaged=True)[0]
    server = start("--models-dir", str(models), "--engines", "first,mini-spleeter")
    output = program("""
client = stemwire.Client(SERVER)
reported = []
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    quiet = client.separate("short.wav", on_engine_change=reported.append)
    quiet.wait()
    assert not warned
    saved = client.separate_to("short.wav", "out")
(change,) = reported
assert quiet.engine_changes == reported and list(quiet.session.engine_changes) == reported
try:
    client.separate("short.wav", model="first", allow_fallback=False).wait()
except stemwire.StemwireError as error:
    refused = error.reason
    request_id = error.request_id
say(before=change.before.model, after=change.after.model, frame=change.frame, reason=change.reason,
    warned=[[w.category.__name__, str(w.message)] for w in warned], saved=len(saved.session.engine_changes), refused=refused,
    request_id=request_id)
""", server.address).end()
    assert (output.before, output.after, output.frame, output.reason) == ("first", "mini-spleeter", 0, "MODEL_UNAVAILABLE")
    assert str(uuid.UUID(output.request_id)) == output.request_id
    ((category, text),) = output.warned
    assert category == "EngineChangeWarning" and "SHA-256" in text and "mini" in text
    assert (output.saved, output.refused) == (1, "MODEL_UNAVAILABLE")


def test_errors_carry_code_reason_remedy_and_numbers(server, program, tmp_path):
    (tmp_path / "text.mp3").write_text("This is no music.\n" * 100)
    (tmp_path / "empty.wav").touch()
    output = program("""
client = stemwire.Client(SERVER)
created = client.create_session()
unknown = "00000000-0000-4000-8000-000000000000"
tries = dict(
    text=lambda: client.separate_to("text.mp3", "out"),
    empty=lambda: client.separate("empty.wav").stems,
    model=lambda: client.separate("text.mp3", model="nosuch"),
    stem=lambda: client.separate("text.mp3", stems=["kazoo"]),
    session=lambda: client.session(unknown),
    watch=lambda: client.watch(unknown),
    gap=lambda: client.upload_chunk(created.session_id, 5, b"x"),
    reads=lambda: next(client.stem(created.session_id, "kazoo")),
    missing=lambda: client.separate("nosuch.mp3"),
    choice=lambda: client.separate("text.mp3", encoding="mp3"),
    option=lambda: client.separate("text.mp3", stem="vocals"),
    array=lambda: client.separate(np.zeros((5, 6), np.float32), sample_rate=44100),
    rate=lambda: client.separate(np.zeros(5, np.float32)),
    address=lambda: stemwire.Client("ftp://nowhere"),
    broken_song=lambda: client.separate(1 / 0 for _ in range(1)).stems,
    unreachable=lambda: stemwire.Client("127.0.0.1:1").health(),
    unreachable_too=lambda: stemwire.Client("127.0.0.1:1").separate("text.mp3"),
)
found = {}
for name, attempt in tries.items():
    try:
        attempt()
    except Exception as error:
        found[name] = dict(vars(error), kind=type(error).__name__, text=str(error))
say(**found)
""", server.address).end()

    def check(name: str, kind: str, code: str, reason: str, cause: str, remedy: str) -> dict:
        error = getattr(output, name)
        assert (error["kind"], error["code"], error["reason"]) == (kind, code, reason)
        assert cause in error["message"] and remedy in error["remedy"], error
        assert error["text"] == f"{error['message']}. {error['remedy']}"
        return error["metadata"]

    check("text", "SongError", "INVALID_ARGUMENT", "FORMAT_UNKNOWN", "text", "FLAC")
    check("empty", "SongError", "INVALID_ARGUMENT", "UPLOAD_EMPTY", "", "")
    check("model", "StemwireError", "INVALID_ARGUMENT", "MODEL_UNKNOWN", "nosuch", "Name one of the listed models")
    check("stem", "StemwireError", "INVALID_ARGUMENT", "STEM_UNKNOWN", "kazoo", "Ask for stems that the model yields")
    for name in ("session", "watch"):
        check(name, "SessionNotFound", "NOT_FOUND", "SESSION_NOT_FOUND", "00000000", "send the song again")
    assert check("gap", "StemwireError", "OUT_OF_RANGE", "UPLOAD_GAP", "byte 5", "Continue at byte 0.")["committed_bytes"] == "0"
    check("reads", "StemwireError", "NOT_FOUND", "STEM_UNKNOWN", "kazoo", "")
    for name in ("unreachable", "unreachable_too"):
        check(name, "Unreachable", "UNAVAILABLE", "", "127.0.0.1:1", "stemwire serve")
    kinds = {name: getattr(output, name)["kind"] for name in ("missing", "choice", "option", "array", "rate", "address", "broken_song")}
    assert kinds == dict(missing="FileNotFoundError", choice="ValueError", option="TypeError", array="ValueError",
                         rate="TypeError", address="ValueError", broken_song="ZeroDivisionError")
    assert "f32, s16, s24" in output.choice["text"] and "option stem." in output.option["text"] and "http://" in output.address["text"]
    assert not (tmp_path / "out").exists(), "nothing is left of a song that was none"


def test_tls_and_a_token(start, program, short, whole, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    authority = trustme.CA()
    own = authority.issue_cert("localhost", "127.0.0.1")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    server = start("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"), "--token", TOKEN,
                   "--engines", "mini-spleeter")
    output = program("""
url = f"https://{SERVER}"
stems = stemwire.Client(url, token=ARGUMENTS[0], ca="ca.pem").separate("short.wav").stems
errors = []
for options in [dict(token="another token of length", ca="ca.pem"), dict(ca="ca.pem"), dict(token=ARGUMENTS[0], ca="other.pem")]:
    try:
        stemwire.Client(url, **options).health()
    except stemwire.StemwireError as error:
        errors.append([type(error).__name__, error.code, error.reason])
say(digests=digests(stems), errors=errors)
""", server.address, TOKEN).end()
    assert output.digests == whole
    refused = ["StemwireError", "UNAUTHENTICATED", "TOKEN_MISSING"]
    assert output.errors == [refused, refused, ["Unreachable", "UNAVAILABLE", ""]]
    # The same by environment variables.
    variables = {"STEMWIRE_SERVER": f"https://{server.address}", "STEMWIRE_TOKEN": TOKEN, "STEMWIRE_TLS_CA": str(tmp_path / "ca.pem")}
    assert program("say(digests=digests(stemwire.separate('short.wav').stems))", "", **variables).end().digests == whole


def test_pauses_double_up_to_a_limit_and_heed_the_server(program):
    output = program("""
from stemwire.retry import Backoff
lost = stemwire.Unreachable("UNAVAILABLE", "", "lost")
full = stemwire.StemwireError("RESOURCE_EXHAUSTED", "QUEUE_FULL", "full", retry_after=10)
wrong = stemwire.SongError("INVALID_ARGUMENT", "FORMAT_UNKNOWN", "text")
retry = stemwire.Retry(attempts=6, first_pause=1, longest_pause=8)
backoff = Backoff(retry)
# The third attempt makes progress, which resets the count.
marks = [(0, 0), (0, 0), (5, 0), (5, 0), (5, 0), (5, 0), (5, 0), (5, 0), (5, 0)]
say(pauses=[backoff.pause(lost, mark, True) for mark in marks], full=retry.pause(full, 1), wrong=retry.pause(wrong, 1),
    never=Backoff(retry).pause(lost, (0, 0), False), none=stemwire.Retry(attempts=0).pause(lost, 1))
""", "").end()
    for pause, longest in zip(output.pauses, [1, 2, 1, 2, 4, 8, 8, 8]):
        assert 0.75 * longest <= pause <= longest
    assert output.pauses[8] is None and (output.full, output.wrong, output.never, output.none) == (10, None, None, None)


def test_a_call_is_repeated_where_its_answer_has_retry_info_whatever_the_reason(program):
    output = program("""
import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2 as details, status_pb2
from stemwire._reasons import REASONS
from stemwire.errors import from_rpc_error
from stemwire.retry import is_transient
from stemwire.v1.error_reason_pb2 import ErrorOptions

class Refused(grpc.RpcError):
    def __init__(self, reason, retry, domain="stemwire"):
        self.name = ErrorOptions.Code.Name(REASONS[reason].code).removeprefix("CODE_")
        packed = [any_pb2.Any(), any_pb2.Any()]
        packed[0].Pack(details.ErrorInfo(reason=reason, domain=domain))
        packed[1].Pack(details.RetryInfo(retry_delay=duration_pb2.Duration(seconds=retry)))
        self.status = status_pb2.Status(details=packed[: 2 if retry else 1])

    def code(self):
        return grpc.StatusCode[self.name]

    def details(self):
        return "cause"

    def trailing_metadata(self):
        return [("grpc-status-details-bin", self.status.SerializeToString())]

known = {reason: options.retry_after_s for reason, options in REASONS.items()}
errors = {reason: from_rpc_error(Refused(reason, retry), "server") for reason, retry in known.items()}
say(known=known, found={reason: error.retry_after or 0 for reason, error in errors.items() if is_transient(error)},
    without=[reason for reason in known if is_transient(from_rpc_error(Refused(reason, 0), "server"))],
    proxy=type(from_rpc_error(Refused("SHUTTING_DOWN", 0, "proxy.example"), "server")).__name__)
""", "").end()
    assert len(output.known) > 60 and output.found == {reason: retry for reason, retry in output.known.items() if retry}
    assert output.without == [] and output.proxy == "Unreachable"
