"""E-mail addresses, web sites and social profiles as cards print them."""

from __future__ import annotations

from model.synthetic.chance import Chance
from model.synthetic.lexicon import expand, lexicon
from model.synthetic.locales import country, domain_ending, is_cyrillic
from model.synthetic.people import Person, romanise


def draw_email(chance: Chance, locale: str, person: Person | None, domain: str) -> str:
    """Draw an e-mail address of a person or an office, at the company's domain or a free host."""
    hosts, words = lexicon("companies"), lexicon("online")
    brand = domain.split(".")[0]
    free = chance.odds(0.42 if locale in ("en_IN", "en_PK") or is_cyrillic(locale) else 0.16)
    host = domain
    if free:
        stock = hosts["mail_hosts_cyrillic" if is_cyrillic(locale) and chance.odds(0.7) else "mail_hosts"]
        host = chance.pick(stock[:4]) if chance.odds(0.6) else chance.pick(stock)
    office = chance.pick(words["office"][:8]) if chance.odds(0.7) else chance.pick(words["office"])
    if person is None or chance.odds(0.25):
        parts = {"b": brand, "o": office, "c": country(locale).lower()}
        local = expand(chance, chance.pick(words["brand"]), parts) if free else office
    else:
        g, f = person.given, person.family or person.given
        parts = {"g": g, "f": f, "g1": g[0], "f1": f[0], "g3": g[:3], "f3": f[:3], "f4": f[:4]}
        local = expand(chance, chance.pick(words["person"]), parts)
        if free and chance.odds(0.55):
            local += chance.digits(chance.pick(words["tail"]))
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
    short = "".join(c for c in romanise(initials).lower() if c.isalnum())
    if 3 <= len(short) <= 5:
        options += [short, f"{short}{words[-1]}"]
    name = chance.pick(options)[:26].strip("-")
    own = domain_ending(locale)
    endings = {
        "com": 5.0,
        own: 2.5,
        "net": 0.5,
        "org": 0.5,
        "co": 0.2,
        "biz": 0.1,
        "info": 0.15,
        "edu": 0.15,
        "io": 0.1,
    }
    if "." not in own:
        endings |= {f"co.{own}": 0.3, f"com.{own}": 0.2, f"ac.{own}": 0.1}
    if is_cyrillic(locale):
        endings[own] = 9.0
    return f"{name}.{chance.weigh(endings)}"


def draw_website(chance: Chance, domain: str) -> str:
    """Write a domain as a card does: with or without ``www.`` or ``http://``, sometimes with a path."""
    words = lexicon("online")
    site = f"{chance.pick(words['scheme'])}{domain}"
    if chance.odds(0.06):
        site += expand(chance, chance.pick(words["path"]), {"h": domain.split(".")[0]})
    style = chance.weigh({"plain": 8.6, "upper": 0.6, "title": 0.6})
    if style == "title":
        return ".".join(part if part in ("www", "com") else part.capitalize() for part in site.split("."))
    return site.upper() if style == "upper" else site


def draw_profile(chance: Chance, brand: str) -> tuple[str, str]:
    """Draw a social profile: its text, and ``WEBSITE`` where it is an address, else nothing."""
    words = lexicon("online")
    handle = "".join(c for c in romanise(brand).lower() if c.isalnum())[:18] or "studio"
    if chance.odds(0.5):
        site = chance.pick(words["sites"])
        address = expand(chance, site, {"h": handle}) if "{" in site else f"{site}/{handle}"
        return f"{chance.pick(('www.', '', ''))}{address}", "WEBSITE"
    return expand(chance, chance.pick(words["handles"]), {"h": handle}), ""
