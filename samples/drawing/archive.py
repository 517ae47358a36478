"""The sample archive: what each picture shows, what is known of it, and what its file says."""

from __future__ import annotations

from dataclasses import dataclass, field

from drawing.scenes import (
    Drawing,
    blinking,
    chart,
    city,
    crowd,
    island,
    lake,
    mountains,
    panorama,
    sepia,
    svg,
)

SYSTEM_NAME = "sample-archive"
LIST_SEPARATOR = "|"


@dataclass(frozen=True)
class Picture:
    """One row of the archive. ``embedded`` goes into the file as IPTC and XMP, ``metadata`` into
    the manifest; what only the file knows is filled in at import."""

    id: str
    file: str
    title: str
    media_type: str
    draw: Drawing
    metadata: dict[str, object] = field(default_factory=dict)
    embedded: dict[str, str] = field(default_factory=dict)


DAWN = ("#f6b26b", "#fde9cf")
NOON = ("#4a86c8", "#cfe3f5")
DUSK = ("#3b2a5c", "#e8836b")
NIGHT = ("#0b1026", "#27365f")
GREY = ("#9aa5b1", "#dfe4e8")
BLUE_HILLS = ("#8fa9c4", "#6b8bab", "#48698c", "#2c4a68", "#17314a")
GREEN_HILLS = ("#a9c2a0", "#7da174", "#527d4d", "#32582f", "#1d3a1c")
CREDIT = "Sample Archive/Anna Muster"


def _said(
    title: str, text: str, date: str, place: str, creator: str = "Anna Muster"
) -> dict[str, str]:
    """What a picture desk writes into a file."""
    return {
        "Title": title,
        "Headline": title,
        "Description": text,
        "Date Created": date,
        "City": place,
        "Creator": creator,
        "Credit Line": f"Sample Archive/{creator}",
        "Copyright Notice": f"© {date[:4]} Sample Archive",
        "Keywords": "landscape",
    }


PHOTOS = (
    Picture(
        "2003-04511",
        "2003/lake-morning.jpg",
        "Morning at the lake",
        "image",
        lake((1800, 1200), DAWN, "#5b6f7d"),
        {
            "caption": "First light over the eastern shore. The ferry does not sail before seven.",
            "credit": CREDIT,
            "taken": "2003-04-12",
            "category": "landscape",
            "keywords": ["lake", "morning", "ferry"],
            "exclusive": False,
            "rating": 4,
        },
        _said("Morning at the lake", "First light over the shore", "2003-04-12", "Seewil"),
    ),
    Picture(
        "2003-04512",
        "2003/ridge-haze.jpg",
        "Five ridges in the haze",
        "image",
        mountains((2000, 1250), NOON, BLUE_HILLS, 0.7),
        {"taken": "2003-07-30", "category": "landscape", "rating": 5, "exclusive": True},
        _said(
            "Five ridges in the haze",
            "Föhn over the Alps: five ridges, one behind the other",
            "2003-07-30",
            "Grünwald",
            "Jörg Müller",
        ),
    ),
    Picture(
        "2004-00017",
        "2004/hills-june.jpg",
        "Hills in June",
        "image",
        mountains((1600, 1067), ("#6fa8dc", "#eaf3fb"), GREEN_HILLS, 0.2),
        {"credit": CREDIT, "category": "landscape", "keywords": ["hills", "summer"]},
        _said("Hills in June", "Meadows before the first cut", "2004-06-03", "Oberfeld"),
    ),
    Picture(
        "2004-00018",
        "2004/harbour-dusk.jpg",
        "Dusk over the harbour",
        "image",
        lake((2400, 1350), DUSK, "#1a1526"),
        {"caption": "The last ship has left; the crane “Große Berta” rests.", "rating": 3},
        _said(
            "Dusk over the harbour", "The harbour after closing time", "2004-11-19", "Hafenstadt"
        ),
    ),
    Picture(
        "2005-00340",
        "2005/city-night.jpg",
        "City by night",
        "image",
        city((1500, 1000), NIGHT, True),
        {
            "caption": "Blocks along the ring road.\nEvery third window is lit.",
            "credit": CREDIT,
            "taken": "2005-01-08",
            "category": "city",
            "keywords": ["night", "city"],
        },
        _said("City by night", "Blocks along the ring road", "2005-01-08", "Neustadt"),
    ),
    Picture(
        "2005-00341",
        "2005/city-day.jpeg",
        "The same street at noon",
        "image",
        city((1500, 1000), NOON, False),
        {"category": "city", "exclusive": False},
        _said("The same street at noon", "The ring road at noon", "2005-05-21", "Neustadt"),
    ),
    Picture(
        "2006-01200",
        "2006/marathon.jpg",
        "Marathon: 900 runners",
        "image",
        crowd((1800, 1200), ("#b9bfb4", "#8f968a")),
        {
            "caption": "Start of the third city marathon, seen from the town hall's tower",
            "taken": "2006-09-17",
            "category": "sport",
            "keywords": ["running", "city"],
            "rating": 2,
        },
        _said("Marathon", "Start of the third city marathon", "2006-09-17", "Neustadt"),
    ),
    Picture(
        "2006-01201",
        "2006/concert.jpg",
        "Open-air concert",
        "image",
        crowd((1600, 1067), ("#3d4f3a", "#6c8a5f")),
        {"category": "culture", "keywords": ["music", "summer"], "credit": CREDIT},
        _said("Open-air concert", "On the meadow below the castle", "2006-07-08", "Seewil"),
    ),
    Picture(
        "2007-00002",
        "2007/winter.jpg",
        "Winter, before the snow",
        "image",
        mountains((1280, 1920), GREY, ("#c3cad1", "#9fa9b3", "#77838f", "#525e6a"), 0.5),
        {"taken": "2007-01-14", "category": "landscape", "rating": 4},
        _said("Winter, before the snow", "No snow below 1,500 m", "2007-01-14", "Bergün"),
    ),
)

PRINTS = (
    Picture(
        "0042",
        "prints/station-1911.jpg",
        "The station in 1911",
        "archiveImage",
        sepia(city((1300, 900), GREY, False)),
        {
            "credit": "Municipal archive",
            "boxNumber": 7,
            "scanned": True,
            "scannedAt": "2019-03-12T09:30:00Z",
            "keywords": ["city", "railway"],
        },
        _said("The station in 1911", "Forecourt with cabs", "1911-05-01", "Neustadt", "unknown"),
    ),
    Picture(
        "0043",
        "prints/pass-1924.jpg",
        "Road over the pass, 1924",
        "archiveImage",
        sepia(mountains((1400, 1000), GREY, BLUE_HILLS, 0.3)),
        {
            "credit": "Municipal archive",
            "boxNumber": 7,
            "scanned": True,
            "scannedAt": "2019-03-12T09:41:00Z",
        },
        _said(
            "Road over the pass", "Before the tunnel was built", "1924-08-15", "Bergün", "unknown"
        ),
    ),
    Picture(
        "0044",
        "prints/ferry-1931.jpg",
        "The ferry “Helvetia”, 1931",
        "archiveImage",
        sepia(lake((1500, 1000), GREY, "#555555")),
        {"credit": "Estate of Élise Français", "boxNumber": 12, "scanned": False},
        _said(
            "The ferry Helvetia", "Trial run on a calm day", "1931-04-02", "Seewil", "É. Français"
        ),
    ),
)

GRAPHICS = (
    Picture(
        "g-001",
        "graphics/visitors.png",
        "Visitors by quarter",
        "graphic",
        chart((1400, 900), (42, 71, 96, 58), "#3465a4"),
        {"source": "Statistical office", "kind": "chart", "updated": "2026-01-15T08:00:00Z"},
    ),
    Picture(
        "g-002",
        "graphics/budget.png",
        "Budget, ten years",
        "graphic",
        chart((1800, 1000), (50, 54, 53, 60, 66, 64, 71, 80, 85, 91), "#a4344f"),
        {"source": "City treasurer", "kind": "chart", "colour": "#A4344F"},
    ),
    Picture(
        "g-003",
        "graphics/island.png",
        "Map of the island",
        "graphic",
        island((1600, 1200), "#c9d8a0", "#a8cbe3"),
        {"source": "Own survey", "kind": "map"},
    ),
    Picture(
        "g-004",
        "graphics/reef.png",
        "Map of the reef",
        "graphic",
        island((1200, 1200), "#e3d3a8", "#7fb7c9"),
        {"source": "Own survey", "kind": "map", "updated": "2025-11-02T10:15:00+01:00"},
    ),
    Picture(
        "g-005",
        "graphics/panorama.png",
        "Panorama with names left out",
        "image",
        panorama((2200, 700), NOON, GREEN_HILLS),
        {"category": "landscape", "credit": CREDIT},
    ),
    Picture(
        "g-006",
        "graphics/sunrise.gif",
        "Sunrise, animated",
        "graphic",
        blinking((640, 400), 24),
        {"source": "Animation desk", "kind": "animation"},
    ),
    Picture(
        "g-007",
        "graphics/sunrise-small.gif",
        "Sunrise, small",
        "graphic",
        blinking((320, 200), 12),
        {"source": "Animation desk", "kind": "animation"},
    ),
    Picture(
        "g-008",
        "graphics/poll.gif",
        "Poll of the week",
        "graphic",
        chart((1200, 800), (61, 39), "#4e9a06"),
        {"source": "Readers’ panel", "kind": "chart"},
    ),
)

LOGOS = (
    Picture(
        "logo:city",
        "logos/city.svg",
        "Coat of arms of Neustadt",
        "graphic",
        svg(
            400,
            480,
            '  <path d="M20 20h360v240c0 110-80 170-180 200C100 430 20 370 20 260z" '
            'fill="#c33" stroke="#222" stroke-width="8"/>\n'
            '  <path d="M20 200h360v70H20z" fill="#fff"/>',
        ),
        {"source": "City of Neustadt", "kind": "logo", "colour": "#CC3333"},
    ),
    Picture(
        "logo:ferry",
        "logos/ferry.svg",
        "Emblem of the ferry line",
        "graphic",
        svg(
            600,
            300,
            '  <circle cx="150" cy="150" r="120" fill="#1d5c8f"/>\n'
            '  <path d="M60 170h180l-30 40H90z" fill="#fff"/>\n'
            '  <text x="300" y="165" font-family="sans-serif" font-size="48">FERRY</text>',
        ),
        {"source": "Ferry line", "kind": "logo"},
    ),
    Picture(
        "logo:arrow",
        "logos/arrow.svg",
        "Arrow",
        "graphic",
        svg(120, 80, '  <path d="M10 40h80M65 15l30 25-30 25" fill="none" stroke="#000"/>'),
        {"source": "House style", "kind": "logo"},
    ),
    Picture(
        "logo:plan",
        "logos/plan.svg",
        "Plan of the hall",
        "graphic",
        svg(
            1024,
            640,
            "\n".join(
                f'  <rect x="{40 + x * 120}" y="{60 + y * 140}" width="90" height="100" rx="8" '
                f'fill="#{"dce6ef" if (x + y) % 2 else "b8cbdc"}"/>'
                for y in range(4)
                for x in range(8)
            ),
        ),
        {"source": "Own drawing", "kind": "map"},
    ),
)

ARCHIVE = PHOTOS + PRINTS + GRAPHICS + LOGOS
