"""Addresses that must never be reached, and URLs that hide them: tables and rules, from which both
are made. Written from the registries (IANA special-purpose addresses), not from the code."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

PUBLIC = "93.184.216.34"

_BLOCKED = """
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.100.100.200
100.127.255.255 127.0.0.1 127.0.0.53 127.255.255.255 168.63.129.16 169.254.0.0 169.254.169.254
169.254.170.2 169.254.255.255 172.16.0.0 172.17.0.1 172.31.255.255 192.0.0.0 192.0.0.192
192.0.0.255 192.0.2.1 192.88.99.1 192.168.0.0 192.168.1.1 192.168.255.255 198.18.0.0
198.19.255.255 198.51.100.7 203.0.113.255 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 ::
::1 ::2 ::ffff:0:0 100::1 100::ffff:ffff:ffff:ffff 2001:: 2001:10::1 2001:1ff:ffff::1
2001:db8::1 3fff::1 3fff:fff:ffff::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fdff:ffff::1 fe80::1
febf::1 fec0::1 feff::1 ff00::1 ff02::1 ffff::1
"""
BLOCKED = tuple(_BLOCKED.split())
_ALLOWED = """
1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0
126.255.255.255 128.0.0.0 168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255
172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0
198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
2001:200::1 2001:4860:4860::8888 2003::1 2606:4700:4700::1111 2a00::1 3ffe::1 4000::1 fbff::1
fe00::1
"""
ALLOWED = tuple(_ALLOWED.split())
METADATA, LOOPBACK, PRIVATE = "169.254.169.254", "127.0.0.1", "10.0.0.1"

CARRIERS = ("::{}", "::ffff:{}", "::ffff:0:{}", "64:ff9b::{}", "64:ff9b:1::{}")
"""IPv6 addresses that end in an IPv4 address: compatible, mapped, translated, NAT64."""


def carried(inner: str) -> Iterator[str]:
    """IPv6 addresses that lead to an IPv4 address, 6to4 and Teredo included."""
    yield from (str(ip_address(form.format(inner))) for form in CARRIERS)
    number = int(IPv4Address(inner))
    yield str(IPv6Address(0x2002 << 112 | number << 80))
    yield str(IPv6Address(0x20010000 << 96 | number ^ 0xFFFFFFFF))


def disguised(address: str) -> Iterator[str]:
    """An IPv4 address in spellings that some resolver takes for it."""
    a, b, c, d = IPv4Address(address).packed
    number = int(IPv4Address(address))
    yield from (f"{number}", f"{number:#x}", f"{number:#o}".replace("0o", "0"), f"{number:#X}")
    yield from (f"{a}.{b}.{c << 8 | d}", f"{a}.{b << 16 | c << 8 | d}", f"{a}.{b}.{c:#x}.{d}")
    yield ".".join(f"{part:#x}" for part in (a, b, c, d))
    yield ".".join(f"0x{part:08x}" for part in (a, b, c, d))
    yield ".".join(f"0{part:o}" for part in (a, b, c, d))
    yield ".".join(f"000{part:o}" for part in (a, b, c, d))
    yield from (f"{number + (1 << 32)}", f"{a + 256}.{b + 256}.{c + 256}.{d + 256}")
    yield from (
        f"{address}.",
        f"{address}..",
        f".{address}",
        f"{a}.{b}..{c}.{d}",
        f"{a}.{b}.{c}.{d}.5",
    )
    yield address.translate({ord(digit): 0xFF10 + int(digit) for digit in "0123456789"})
    yield address.translate({ord(digit): 0x2460 + int(digit) - 1 for digit in "123456789"})
    yield address.replace(".", "\u3002")
    yield "".join(f"%{ord(sign):02x}" for sign in address)
    yield from (f"{address}%00", f"{address}%2509", f"[{address}]", f"[::ffff:{address}%25lo]")
    yield from (f"[{form}]" for form in carried(address))
    yield f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]"
    yield f"[0000:0000:0000:0000:0000:ffff:{number >> 16:04x}:{number & 0xFFFF:04x}]"


TRICKS = (
    "http://{}/", "https://{}/", "HTTP://{}", "http://{}:80/", "https://{}:443/", "http://{}:0080/",
    "http://{}:22/", "http://{}:8080/", "http://{}:6379/", "//{}/", "http:{}", "http:/{}", "http:///{}/",
    "http:\\\\{}\\", "http://{}\\.public.test/", "http://{}#.public.test/", "http://{}?.public.test/",
    "http://{};.public.test/", "http://public.test@{}/", "http://public.test:80@{}/",
    "http://public.test:80#@{}/", "http://public.test%40{}/", "http://@{}/", "http://a@b@{}/",
    "http://{}:80@/", "http://{}%2f@public.test/", "http://public.test\\@{}/", "http://{}\\@public.test/",
    "http://public.test&@{}#@public.test/", "http://{} public.test/", "http://public.test {}/",
    "http://{}\t.public.test/", "http://{}\n/", " http://{}/", "\x01http://{}/", "http://{}\0.test/",
    "http://{},public.test/", "http://[{}]/", "http://[::1@{}]/", "jar:http://{}!/", "url:http://{}/",
    "gopher://{}:25/_MAIL", "file://{}/etc/passwd", "ftp://{}/", "dict://{}:11211/", "ldap://{}/",
    "data:text/html,http://{}/", "javascript:fetch('http://{}')", "http://{}/ ", "http://{}:80:80/",
    "http://{}:-80/", "http://{}:80 /", "http://{}:８０/", "http://{}:65616/",
)  # fmt: skip


def urls() -> list[str]:
    """Every trick with every spelling of three addresses, and with the IPv6 ones of the table."""
    hosts = [METADATA, LOOPBACK, PRIVATE]
    hosts += [spelling for address in tuple(hosts) for spelling in disguised(address)]
    hosts += [f"[{address}]" for address in BLOCKED if ":" in address]
    return list(dict.fromkeys(trick.format(host) for trick in TRICKS for host in hosts))


NAMES = (
    "http://localhost/", "http://LOCALHOST/", "http://localhost./", "https://a.localhost:443/",
    "http://metadata/computeMetadata/v1/", "http://metadata.google.internal/", "http://rebind.test/",
    "http://127.0.0.1.nip.test/", "http://public.test/?u=http://10.0.0.1/",
    "http://public.test/http://10.0.0.1/", "http://public.test/#@10.0.0.1", "http://bücher.test/",
)  # fmt: skip
"""Names are what their resolver says."""
