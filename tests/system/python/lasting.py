"""A server that dies amid the upload of a program, and is started again."""
from ..common import wait_for
from ..stemwire_client import api


def sessions(server) -> list:
    return list(server.stub.ListSessions(api.ListSessionsRequest()).sessions)


def newest(lasting) -> str:
    """The session that a program has begun, beside the one of the fixture."""
    wait_for(lambda: len(sessions(lasting)) == 2)
    return sessions(lasting)[0].session_id


def die(lasting, running) -> str:
    """Kills the server once it holds most of the song that `running` sends, and starts it again; answers the session."""
    session_id = newest(lasting)
    wait_for(lambda: lasting.get(session_id).committed_bytes >= 900_000)
    lasting.kill()
    lasting.restart()
    running.go()
    return session_id
