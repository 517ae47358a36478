"""Files of root certificates that somebody named: can they be used?"""

from ldimport.errors import ConfigError

TRUST_ANOTHER = "name its certificate with caFile in ldimport.yaml, or SSL_CERT_FILE"
"""What to do where an authority is not known."""


def check_ca_file(path: str, name: str = "caFile") -> None:
    """Raises ConfigError, which says by which setting (``name``) it came, for what is not there,
    cannot be read, or holds no certificate in PEM form."""
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        why = "holds no certificates in PEM form (-----BEGIN CERTIFICATE-----)"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except ValueError:
        why = "is no path"
    else:
        return
    hint = f"point {name} to a file of root certificates in PEM form, or leave it out"
    raise ConfigError(f"{name} names {path}, which {why}", hint=hint, code="ca-file")
