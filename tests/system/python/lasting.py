"""A server that is killed during the upload of a program and restarted."""
from ..common import wait_for
from ..stemwire_client import api


def sessions(server) -> list:
    return list(server.stub.ListSessions(api.ListSessionsRequest()).sessions)


def newest(lasting) -> str:
    """The session of a program, not that of the fixture."""
    wait_for(lambda: len(sessions(lasting)) == 2)
    return sessions(lasting)[0].session_id


def die(lasting, running) -> str:
    """Kills the server once it has most of the song of `running`, and restarts it; returns the session."""
    session_id = newest(lasting)
    wait_for(lambda: lasting.get(session_id).committed_bytes >= 900_000)
    lasting.kill()
    lasting.restart()
    running.go()
    return session_id
