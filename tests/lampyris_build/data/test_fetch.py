import hashlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lampyris_build.data.fetch import cache_folder, local_path, only_public
from lampyris_build.errors import DatasetBroken, DatasetMissing, InvalidRecipe, WriteFailed

DATA = b"a,b\n1,2\n"
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Site:
    """A site on this machine that speaks TLS, and what it was asked for."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=lambda: {"/some/rows.csv": DATA})
    moved: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            page = site.pages.get(self.path, b"")
            self.send_response(301 if self.path in site.moved else 200 if page else 404)
            if self.path in site.moved:
                self.send_header("location", site.moved[self.path])
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parameter's own name
            pass

    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        site.url = f"https://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield site
        server.shutdown()
        thread.join()


def _certificate(folder: Path) -> Path:
    """Make a certificate for this machine, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def test_url_is_fetched_once_and_keeps_its_name(site: Site) -> None:
    first = local_path(f"{site.url}/some/rows.csv", SHA256)
    again = local_path(f"{site.url}/some/rows.csv", SHA256)

    assert first == again
    assert first.name == "rows.csv"
    assert first.read_bytes() == DATA
    assert site.asked == ["/some/rows.csv"]


def test_kept_file_that_was_damaged_is_fetched_anew(site: Site) -> None:
    local_path(f"{site.url}/some/rows.csv", SHA256).write_bytes(b"damaged")

    assert local_path(f"{site.url}/some/rows.csv", SHA256).read_bytes() == DATA
    assert len(site.asked) == 2


def test_other_bytes_are_refused_and_nothing_is_kept(site: Site) -> None:
    with pytest.raises(DatasetBroken, match=rf"its SHA-256 is {SHA256}, but dataset\.sha256 is 000"):
        local_path(f"{site.url}/some/rows.csv", "0" * 64)

    assert list(cache_folder().iterdir()) == []


def test_redirect_is_followed_to_https_alone(site: Site) -> None:
    site.moved = {"/old": f"{site.url}/some/rows.csv", "/worse": "http://127.0.0.1:9/rows.csv"}

    assert local_path(f"{site.url}/old", SHA256).read_bytes() == DATA
    with pytest.raises(DatasetMissing, match=r"http://127\.0\.0\.1:9/rows\.csv.*only https is followed"):
        local_path(f"{site.url}/worse", "1" * 64)


def test_host_of_a_network_of_ours_is_not_asked_where_that_is_forbidden(site: Site) -> None:
    with only_public(), pytest.raises(DatasetMissing, match="not on the public internet"):
        local_path(f"{site.url}/some/rows.csv", SHA256)

    assert site.asked == []


def test_url_that_is_not_there_is_told(site: Site) -> None:
    with pytest.raises(DatasetMissing, match="it answers 404 Not Found"):
        local_path(f"{site.url}/none", SHA256)
    with pytest.raises(DatasetMissing, match=r"it cannot be fetched: .*refused"):
        local_path("https://127.0.0.1:9/rows.csv", SHA256)


def test_site_that_nobody_vouches_for_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(DatasetMissing, match="CERTIFICATE_VERIFY_FAILED"):
        local_path(f"{site.url}/some/rows.csv", SHA256)


def test_cache_that_cannot_be_made_is_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")

    with pytest.raises(WriteFailed, match="could not be written"):
        local_path(f"{site.url}/some/rows.csv", SHA256)


@pytest.mark.parametrize(
    ("path", "sha256", "sentence"),
    [
        ("https://example.org/rows.csv", None, r"dataset\.sha256 is missing"),
        ("http://example.org/rows.csv", SHA256, "not http://"),
        ("ftp://example.org/rows.csv", SHA256, "not ftp://"),
    ],
)
def test_address_that_is_not_safe_is_refused(path: str, sha256: str | None, sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        local_path(path, sha256)


def test_file_is_held_against_the_digest_that_the_recipe_names(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(DATA)

    assert local_path(str(path), SHA256) == path
    assert local_path(str(path), None) == path
    with pytest.raises(DatasetBroken, match="its SHA-256 is"):
        local_path(str(path), "0" * 64)
    with pytest.raises(InvalidRecipe, match=r"dataset\.sha256 is that of a file"):
        local_path(str(tmp_path), SHA256)
