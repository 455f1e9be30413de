"""Certificates of a test: of two authorities that know nothing of each other, and such as sign themselves."""

import subprocess
from pathlib import Path

# Common name of the client's certificate, and so the user whom PostgreSQL takes it for.
CLIENT = "vx11"
AUTHORITY, OTHER_AUTHORITY = "ca", "other"
_NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


def make_certificates(folder: Path) -> None:
    """`ca.crt` signs `server.crt` and `client.crt`, `other.crt` signs `stranger.crt`; each has its `.key`.

    All are good for localhost and 127.0.0.1, as Redis' sentinels know their servers by addresses.
    """
    for authority in (AUTHORITY, OTHER_AUTHORITY):
        made = f"-keyout {authority}.key -out {authority}.crt"
        _openssl(folder, f"req -x509 {_NEW_KEY} -days 2 -subj /CN=authority-{authority} {made}")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name, authority in (("server", AUTHORITY), ("client", AUTHORITY), ("stranger", OTHER_AUTHORITY)):
        subject = "localhost" if name == "server" else CLIENT
        _openssl(folder, f"req {_NEW_KEY} -subj /CN={subject} -keyout {name}.key -out {name}.csr")
        signed = f"-CA {authority}.crt -CAkey {authority}.key -CAcreateserial -days 2 -extfile names"
        _openssl(folder, f"x509 -req -in {name}.csr -out {name}.crt {signed}")


def make_self_signed(folder: Path) -> None:
    """`certificate.pem`, for which nobody else vouches, and its `key.pem`: for localhost and 127.0.0.1."""
    names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    _openssl(folder, f"req -x509 {_NEW_KEY} -days 2 {names} -keyout key.pem -out certificate.pem")


def _openssl(folder: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
