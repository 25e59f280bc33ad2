"""Phone numbers, e-mail addresses, web sites and handles as cards print them."""

from __future__ import annotations

from functools import cache
from typing import Literal

import phonenumbers

from model.synthetic.chance import Chance
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import country, domain_ending, is_cyrillic, tongue
from model.synthetic.people import Person, romanise

Kind = Literal["mobile", "office"]
LabelKind = Literal["mobile", "office", "home", "fax", "email", "web", "address"]

# '#' is any digit, '%' one from 1 to 9.
_PATTERNS: dict[tuple[str, Kind], tuple[str, ...]] = {
    ("IN", "mobile"): (
        "9#### #####",
        "8#### #####",
        "9#########",
        "+91 9#########",
        "+91-9#########",
        "+91 9#### #####",
        "+91-9####-#####",
        "+91 9### ### ###",
        "91 9#########",
        "+91 98### #####",
        "9####-#####",
        "98### - #####",
        "+91 7#########",
        "0091-9#########",
        "7#########",
        "+91 8#### #####",
        "+919#########",
        "9### ### ###",
        "0 9#########",
        "+91 9## ### ####",
        "(+91) 9#########",
        "+91 9# #### ####",
        "09#########",
        "+91.9#########",
        "98-###-#####",
        "9### ######",
        "+91 - 9#########",
        "91-9#########",
    ),
    ("IN", "office"): (
        "040-2#######",
        "040 2### ####",
        "040 - 2#######",
        "+91-40-2#######",
        "+91 40 2### ####",
        "+91-40-2### ####",
        "(040) 2#######",
        "+91(40) 2#######",
        "0%%-2#######",
        "0%%#-2######",
        "0%###-2#####",
        "2### ####",
        "2#######",
        "%######",
        "091-40-%######",
        "+91 80 4### ####",
        "+91-22-6### ####",
        "91 40 66## ####",
        "0091-40-4#######",
        "+91 44 2#### ###",
        "011-4#######",
        "0%%-######",
        "+91 40 4### ##:##".replace(":", " "),
        "0%%# - 2######",
        "+91 120 4######",
        "040 - 4### ####",
        "1800 %## ####",
        "0%%# ######",
    ),
    ("US", "mobile"): (
        "%##-%##-####",
        "(%##) %##-####",
        "%##.%##.####",
        "+1 %## %## ####",
        "%## %## ####",
        "1-%##-%##-####",
        "+1 (%##) %##-####",
        "+1.%##.%##.####",
        "(%##)%##-####",
        "%##/%##-####",
        "1 (%##) %##-####",
        "%##%##%###",
        "+1-%##-%##-####",
        "%##•%##•####",
        "(%##) %##.####",
        "%##·%##·####",
        "%## – %## – ####",
        "(%##) - %## - ####",
        "%## -%##-####",
    ),
    ("US", "office"): (
        "%##-%##-####",
        "(%##) %##-####",
        "%##.%##.####",
        "+1 %## %## ####",
        "%## %## ####",
        "1-800-%##-####",
        "800.%##.####",
        "(%##) %##-#### ext. %##",
        "%##-%##-#### x%##",
        "%##.%##.#### Ext %###",
        "1-888-%##-####",
        "+1 (%##) %##-####",
        "%##-%###",
        "(%##) %##-####, Ext. %#",
        "1.877.%##.####",
        "+1-%##-%##-####",
    ),
    ("GB", "mobile"): (
        "07### ######",
        "07### ### ###",
        "+44 7### ######",
        "+44 (0)7### ######",
        "07##########"[:11],
        "+44 (0) 7### ### ###",
        "07## #### ###",
    ),
    ("GB", "office"): (
        "020 7### ####",
        "01### ######",
        "0161 ### ####",
        "+44 (0)20 7### ####",
        "+44 (0)1### ######",
        "+44 20 7### ####",
        "0800 ### ####",
        "01### ### ###",
        "0845 ### ####",
        "(01###) ######",
        "+44 (0)131 ### ####",
    ),
    ("RU", "mobile"): (
        "+7 (9##) ###-##-##",
        "8 (9##) ###-##-##",
        "8-9##-###-##-##",
        "+7 9## ### ## ##",
        "+7 9## ###-##-##",
        "8 9## ### ## ##",
        "+7(9##)###-##-##",
        "+79#########",
        "89#########",
        "8 (9##) ### ## ##",
        "+7-9##-###-##-##",
    ),
    ("RU", "office"): (
        "(495) ###-##-##",
        "+7 (812) ###-##-##",
        "+7 (495) ###-##-##",
        "8 (383) ###-##-##",
        "%##-##-##",
        "%#-##-##",
        "8-800-###-##-##",
        "(8%##) ##-##-##",
        "+7 (8%##) ##-##-##",
        "(%##) ###-####",
        "+7 495 ### ## ##",
        "8 800 ### ## ##",
        "(812) %##-##-##, доб. %##",
    ),
    ("UA", "mobile"): (
        "+38 (067) ###-##-##",
        "(050) ### ## ##",
        "067 ### ## ##",
        "+380 50 ### ## ##",
        "+38 093 ###-##-##",
        "(063) ###-##-##",
        "+38067#######",
        "095-###-##-##",
        "+38 (099) ### ## ##",
    ),
    ("UA", "office"): (
        "(044) ###-##-##",
        "+38 (044) ### ## ##",
        "+380 44 ### ## ##",
        "(032) 2##-##-##",
        "0 800 ### ###",
        "(0%2) ##-##-##",
        "+38 (057) ###-##-##",
    ),
    ("BG", "mobile"): (
        "0888 ### ###",
        "+359 88 ### ####",
        "0878 ## ## ##",
        "+359 89 # ### ###",
        "0899/######",
        "(+359) 887 ### ###",
        "088# ######",
    ),
    ("BG", "office"): (
        "02/ 9## ## ##",
        "+359 2 ### ## ##",
        "02 8## ####",
        "(052) ### ###",
        "032/ ######",
        "+359 (2) ### ####",
        "0700 ## ###",
    ),
    ("MK", "mobile"): ("07# ### ###", "+389 7# ### ###", "07#/###-###", "+389 (0)7# ### ###"),
    ("MK", "office"): ("02 3### ###", "+389 2 3### ###", "02/3###-###", "+389 (0)2 3### ###", "047 ### ###"),
}
_SAME_PLAN = {"CA": "US", "PH": "US"}
_LABELS: dict[LabelKind, tuple[str, ...]] = {
    "mobile": (
        "Mobile", "Mob", "Mob.", "Cell", "M", "M.", "C", "Cell.", "mobile", "Mobile No.", "Mob. No.", "Contact", "Cell No.", "Call", "H/P", "cell",
        "MOBILE", "CELL", "Hand Phone", "m", "c", "Mbl", "Cont.", "Contact No.", "WhatsApp", "Mobiles", "GSM", "Cellular", "Direct",
    ),
    "office": (
        "Tel", "Ph", "Phone", "T", "T.", "Tel.", "Off", "Off.", "P", "Office", "Ph.", "Phone No.", "Telephone", "O", "t", "p", "ph", "tel", "phone",
        "TEL", "PHONE", "Phones", "Ph: (O)", "Tel (O)", "Tel (Direct)", "D", "Direct", "Toll Free", "EPABX", "Main", "Ph. No.", "Off. Ph", "Tele",
        "Board", "Business", "W", "Office Tel", "Telefax", "Helpline", "Customer Care",
    ),
    "home": ("Res", "Res.", "R", "Resi", "(R)", "Residence", "Home", "Ph: (R)", "Tel (R)", "Res. Ph"),
    "fax": ("Fax", "F", "Fax.", "fax", "FAX", "F.", "f", "Fax No.", "Telefax", "Tele Fax", "Facsimile", "Fx"),
    "email": ("E-mail", "Email", "E", "e-mail", "email", "E.", "Mail", "E-Mail", "EMAIL", "e", "Email ID", "E-mail id", "Email Id", "e.mail", "mail", "E-MAIL", "eMail", "Emails"),
    "web": ("Web", "Website", "W", "Visit", "URL", "www", "web", "Web site", "W.", "w", "WEB", "Website", "Visit us", "Visit us at", "Log on to", "Site", "website", "http", "Internet", "Web Site", "Homepage"),
    "address": ("Address", "Add", "Office", "Off", "O", "A", "Regd. Office", "Head Office", "H.O.", "Corp. Office", "Branch", "B.O.", "Res", "R", "Works", "Factory", "Showroom", "Add.", "Corporate Office", "Admin Office", "Clinic", "Regd. Off", "Residence", "Unit", "Campus", "Mailing Address"),
}  # fmt: skip
_SEPARATORS = (": ", " : ", ":", " ", ". ", ": ", " - ", ":- ", ": ", " :", "  ", "")


@cache
def _plan_patterns(region: str, kind: Kind) -> tuple[str, ...]:
    """Return patterns of the region's numbers: our own where we have them, else from the numbering plan's example."""
    known = _PATTERNS.get((_SAME_PLAN.get(region, region), kind))
    if known:
        return known
    types = phonenumbers.PhoneNumberType
    example = phonenumbers.example_number_for_type(region, types.MOBILE if kind == "mobile" else types.FIXED_LINE)
    if example is None:
        return _PATTERNS["US", kind]
    forms = phonenumbers.PhoneNumberFormat
    found = []
    for form in (forms.INTERNATIONAL, forms.NATIONAL, forms.INTERNATIONAL, forms.NATIONAL):
        shown = phonenumbers.format_number(example, form)
        # The last six digits vary; what stands before says which operator or town it is.
        keep = len([c for c in shown if c.isdigit()]) - 6
        pattern, seen = "", 0
        for c in shown:
            seen += c.isdigit()
            pattern += "#" if c.isdigit() and seen > keep else c
        found += [pattern, pattern.replace("-", " "), pattern.replace(" ", ".", 3), pattern.replace("-", ".")]
        if form == forms.INTERNATIONAL:
            code, _, rest = pattern.partition(" ")
            found += [f"{code} (0){rest}", f"({code}) {rest}", f"{code}-{rest}", pattern.replace(" ", "")]
    return tuple(dict.fromkeys(found))


def draw_phone(chance: Chance, locale: str, kind: Kind = "mobile") -> str:
    """Draw a number, without its label, in one of the ways that the locale writes it."""
    return chance.digits(chance.pick(_plan_patterns(country(locale), kind)))


def draw_shorthand(chance: Chance, locale: str) -> str:
    """Draw several office numbers written as one, such as ``040-23308585/86``."""
    base = chance.digits(chance.pick(_plan_patterns(country(locale), "office")))
    base = base if base[-1].isdigit() and base[-2:].isdigit() else f"{base[:-2]}{chance.digits('##')}"
    last = chance.digits("##")
    tails = (
        f"/{last}", f" / {last}", f"-{last}", f", {last}", f",{last},{chance.digits('##')}", f"/{last[0]}", f" to {last}",
        f"/{chance.digits('####')}/{chance.digits('####')}", f" / {chance.digits('####')}", f" & {last}", f", {last}, {chance.digits('##')}",
    )  # fmt: skip
    return base + chance.pick(tails)


def draw_label(chance: Chance, locale: str, kind: LabelKind) -> str:
    """Draw a label word for a kind of line, without its separator."""
    language = tongue(locale)
    plain = {"mobile": "phone", "office": "phone", "home": "phone"}.get(kind, kind)
    if is_cyrillic(locale):
        own = lexicon(f"words_{language}")[f"labels_{plain}"]
        return chance.pick(own).rstrip(":").strip() if chance.odds(0.93) else chance.pick(_LABELS[kind])
    if language != "en":
        words = lexicon("words_world")
        foreign = words.get(f"labels_{plain}_{language}") or words.get(f"labels_{plain}_other")
        if foreign and chance.odds(0.7):
            return chance.pick(foreign).rstrip(":").strip()
    # The first entries are the usual ones.
    options = _LABELS[kind]
    return chance.pick(options[:8]) if chance.odds(0.6) else chance.pick(options)


def draw_separator(chance: Chance) -> str:
    """Draw what stands between label and value; a card uses one throughout."""
    return chance.pick(_SEPARATORS)


def draw_email(chance: Chance, locale: str, person: Person | None, domain: str) -> str:
    """Draw an e-mail address of a person or an office at the company's domain or a free host."""
    words = lexicon("companies")
    brand = domain.split(".")[0]
    free = chance.odds(0.42 if locale in ("en_IN", "en_PK") or is_cyrillic(locale) else 0.16)
    if free:
        hosts = words["mail_hosts_cyrillic"] if is_cyrillic(locale) and chance.odds(0.7) else words["mail_hosts"]
        host = chance.pick(hosts[:4]) if chance.odds(0.6) else chance.pick(hosts)
    else:
        host = domain
    office = (
        "info",
        "sales",
        "office",
        "contact",
        "mail",
        "enquiry",
        "hr",
        "support",
        "admin",
        "hello",
        "accounts",
        "service",
        "marketing",
        "director",
        "md",
        "help",
    )
    if person is None or chance.odds(0.25):
        if free:
            local = chance.pick(
                (
                    brand,
                    f"{brand}{chance.digits('##')}",
                    f"{brand}.{chance.pick(office)}",
                    f"{brand}_{country(locale).lower()}",
                    f"{chance.pick(office)}.{brand}",
                    f"{brand}{chance.digits('20##')}",
                )
            )
        else:
            local = chance.pick(office[:8]) if chance.odds(0.8) else chance.pick(office)
    else:
        g, f = person.given, person.family or person.given
        local = chance.pick(
            (
                f"{g}.{f}",
                f"{g}",
                f"{g[0]}{f}",
                f"{g}_{f}",
                f"{g}{f[0]}",
                f"{f}{g[0]}",
                f"{g[0]}.{f}",
                f"{g}{f}",
                f"{f}.{g}",
                f"{f}",
                f"{g[:3]}{f[:3]}",
                f"{g[0]}{f[:4]}",
            )
        )
        if free and chance.odds(0.55):
            local += chance.digits(chance.pick(("#", "##", "###", "%###", "19##", "20##", "_##")))
    address = f"{local}@{host}"
    if chance.odds(0.05):
        return address.upper()
    return address[0].upper() + address[1:] if chance.odds(0.04) else address


def draw_domain(chance: Chance, locale: str, brand: str, initials: str) -> str:
    """Make a domain name from a company's brand, such as ``kaverisystems.in``."""
    words = ["".join(c for c in romanise(w).lower() if c.isalnum()) for w in brand.split()]
    words = [w for w in words if w] or [romanise(initials).lower() or "office"]
    joined = "".join(words)
    options = [joined, joined, words[0], "-".join(words[:2]), joined[:14]]
    if 2 <= len(initials) <= 5:
        options.append("".join(c for c in romanise(initials).lower() if c.isalnum()) or joined)
    name = chance.pick(options)[:26].strip("-")
    own = domain_ending(locale)
    endings = {
        "com": 5.0,
        own: 2.5,
        "net": 0.5,
        "org": 0.5,
        f"com.{own.split('.')[-1]}": 0.2,
        "co": 0.2,
        "biz": 0.1,
        "info": 0.15,
        "edu": 0.1,
        "io": 0.15,
        "co.in": 0.1,
    }
    if is_cyrillic(locale):
        endings[own] = 9.0
    return f"{name}.{chance.weigh(endings)}"


def draw_website(chance: Chance, domain: str) -> str:
    """Write a domain as a card does: with or without ``www.`` or ``http://``, sometimes with a path."""
    site = f"{chance.weigh({'www.': 7.0, '': 2.0, 'http://www.': 0.6, 'http://': 0.3, 'https://': 0.3, 'https://www.': 0.2})}{domain}"
    if chance.odds(0.05):
        site += chance.pick(("/", "/contact", "/home", "/en", "/shop", "/info", "/about", "/book"))
    if chance.odds(0.06):
        return site.upper()
    if chance.odds(0.06):
        return "".join(
            part.capitalize() if part not in ("www", "com") else part for part in site.replace(".", "\0.\0").split("\0")
        )
    return site


def draw_profile(chance: Chance, brand: str) -> tuple[str, str]:
    """Draw a social profile: its text, and ``WEBSITE`` where it is an address, else nothing."""
    handle = "".join(c for c in romanise(brand).lower() if c.isalnum())[:18] or "studio"
    site = chance.pick(
        (
            "facebook.com",
            "linkedin.com/in",
            "twitter.com",
            "instagram.com",
            "youtube.com",
            "linkedin.com/company",
            "pinterest.com",
            "vk.com",
            "t.me",
            "fb.com",
        )
    )
    if chance.odds(0.5):
        return f"{chance.pick(('www.', '', ''))}{site}/{handle}", "WEBSITE"
    return chance.pick(
        (
            f"@{handle}",
            f"/{handle}",
            f"{handle}",
            f"Skype: {handle}",
            f"skype : {handle}",
            f"fb/{handle}",
            f"Twitter: @{handle}",
            f"#{handle}",
            f"Facebook: {handle}",
        )
    ), ""
