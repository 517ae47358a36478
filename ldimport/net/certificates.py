"""Which root certificates are trusted when an image is fetched or a webhook sent."""

import os
from collections.abc import Mapping
from pathlib import Path

import certifi
import pycurl

from ldimport.authorities import check_ca_file
from ldimport.errors import ConfigError

_SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, Alpine, BSD
)


def trusted_roots(
    ca_file: str | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[int, str]:
    """Which root certificates to trust, as an option of libcurl: the file given, else what
    SSL_CERT_FILE or SSL_CERT_DIR name (as for the API), the system's, certifi's. Raises
    ConfigError if what was named is not there, or holds none."""
    if folder := None if ca_file or environ.get("SSL_CERT_FILE") else environ.get("SSL_CERT_DIR"):
        if Path(folder).is_dir():
            return pycurl.CAPATH, folder
        hint = "Point SSL_CERT_DIR to a folder of root certificates (openssl rehash), or unset it."
        raise ConfigError(f"{folder} is not a folder of certificates", hint=hint)
    named, name = (
        (ca_file, "caFile") if ca_file else (environ.get("SSL_CERT_FILE"), "SSL_CERT_FILE")
    )
    if not named:
        own = next((path for path in _SYSTEM_ROOTS if Path(path).is_file()), certifi.where())
        return pycurl.CAINFO, own
    check_ca_file(named, name)
    return pycurl.CAINFO, named
