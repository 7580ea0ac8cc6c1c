"""What a patient needs from a text, and what nobody else may learn from it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lifecycle.mail.house import ETERMIN_HOSTS, belongs_to
from lifecycle.mail.links import links_of
from lifecycle.mail.lint import SUBJECT, WHOLE, Example, Hit, View, mail, sms, template_check
from lifecycle.mail.markup import visible_text
from lifecycle.mail.placeholders import PERSONAL_MEANINGS, SERVICE_MEANINGS
from lifecycle.mail.setup import VIDEO, Setup
from lifecycle.model import Severity

FIRST_WORDS = 140
"""Characters of a mail that a lock screen shows under the subject."""

SPECIALTIES = re.compile(
    r"\b(?:psycho(?:therap|log|som)\w*|psychiat\w+|therap(?:ie|y|eut\w*|ist)\b|depress\w+|angstst\w+|anxiety|sucht\w*|addiction"
    r"|onkolog\w*|oncolog\w*|krebs\w*|cancer|chemo\w*|gynäkolog\w*|gyn[ae]+colog\w*|frauenarzt\w*|schwanger\w*|pregnan\w*"
    r"|abtreib\w*|abortion\w*|urolog\w*|androlog\w*|proktolog\w*|venerolog\w*|geschlechtskrank\w*|hiv\b|aids\b|prep\b"
    r"|kinderwunsch\w*|fertilit\w*|dermatolog\w*|hautarzt\w*|kardiolog\w*|cardiolog\w*|neurolog\w*|diabet\w*|dialyse\w*"
    r"|schmerztherap\w*|palliativ\w*|essstör\w*|erektion\w*|erectile\w*)",
    re.IGNORECASE,
)
"""Words that name a specialty or an illness. House rules add more (``sensitive_words``)."""

_CANCEL_WORDS = re.compile(r"storn|absag|abmeld|verschieb|cancel|reschedul|unable to attend", re.IGNORECASE)
_DAY_WORDS = re.compile(
    r"\b(morgen|übermorgen|24 Stunden|48 Stunden|tomorrow|24 hours|48 hours|in zwei Tagen|in two days)\b", re.IGNORECASE
)


@template_check(
    "no-access",
    Severity.ERROR,
    de="Die Bestätigung enthält weder den Beitrittslink (LOCATION) noch die TAN (%MEETINGPASSWORD%).",
    en="The confirmation holds neither the join link (LOCATION) nor the TAN (%MEETINGPASSWORD%).",
    good=Example(mail("<p>Zum Gespräch: <a href='LOCATION'>öffnen</a></p>")),
    bad=Example(mail("<p>Ihr Termin ist gebucht.</p>")),
)
def no_access(view: View) -> Iterator[Hit]:
    """A confirmation or change without a way into the call; a service that is meant in person needs none."""
    item = view.template
    if item.kind not in {"confirmation", "change"} or view.suppressed or not item.own.strip():
        return
    if view.setup and item.service and view.setup.location_of(item.service) not in (None, VIDEO):
        return
    if not view.meanings("join_link", "tan"):
        yield Hit(item.kind)


@template_check(
    "reminder-no-access",
    Severity.WARNING,
    de="Die Erinnerung enthält keinen Zugang: Wer sie kurz vor dem Termin liest, muss die Bestätigung suchen.",
    en="The reminder holds no access: whoever reads it shortly before has to look for the confirmation.",
    good=Example(mail("<p>LOCATION</p>", kind="reminder3")),
    bad=Example(mail("<p>Bald ist Ihr Termin.</p>", kind="reminder3")),
)
def reminder_no_access(view: View) -> Iterator[Hit]:
    """A reminder without join link or TAN."""
    if view.template.kind.startswith("reminder") and not view.suppressed and not view.meanings("join_link", "tan"):
        yield Hit(view.template.kind)


@template_check(
    "tan-beside-link",
    Severity.NOTE,
    de="{token} steht neben dem Beitrittslink, der die TAN schon enthält.",
    en="{token} stands beside the join link, which already carries the TAN.",
    good=Example(mail("<p>LOCATION</p>")),
    bad=Example(mail("<p>LOCATION, TAN: %MEETINGPASSWORD%</p>")),
)
def tan_beside_link(view: View) -> Iterator[Hit]:
    """The TAN a second time: harmless, but one more place to read it from."""
    if view.meanings("join_link"):
        for seen in view.meanings("tan")[:1]:
            yield Hit(seen.token, seen.start)


@template_check(
    "service-revealed",
    Severity.ERROR,
    de="{token}: Leistung oder Fachgebiet im Text, den ein Sperrbildschirm zeigt ({where}).",
    en="{token}: service or specialty where a lock screen shows it ({where}).",
    good=Example(sms("Ihr Termin beginnt bald: LOCATION", kind="reminder1"), "a.txt"),
    bad=Example(sms("Ihre Psychotherapie beginnt bald: LOCATION", kind="reminder1"), "a.txt"),
)
def service_revealed(view: View) -> Iterator[Hit]:
    """A service or specialty in an SMS, in a subject, or (warning) in the first words of a mail."""
    item = view.template
    for token, _ in _revealing(view, item.subject):
        yield Hit(token, SUBJECT, {"where": "Betreff / subject"})
    if item.channel == "sms":
        for token, start in _revealing(view, item.body):
            yield Hit(token, start, {"where": "SMS"})
        return
    first = view.text[:FIRST_WORDS]
    for token, _ in _revealing(view, first):
        yield Hit(token, max(0, item.body.find(token)), {"where": "erste Worte / first words"}, Severity.WARNING)


def _revealing(view: View, text: str) -> Iterator[tuple[str, int]]:
    for seen in view.registry.scan(text):
        if seen.placeholder and seen.placeholder.meaning in SERVICE_MEANINGS:
            yield seen.token, seen.start
    for match in SPECIALTIES.finditer(text):
        yield match.group(), match.start()
    lowered = text.lower()
    for word in view.house.sensitive_words:
        if (start := lowered.find(word)) >= 0:
            yield text[start : start + len(word)], start


@template_check(
    "personal-in-subject",
    Severity.WARNING,
    de="{token} im Betreff: Betreffzeilen stehen auf Sperrbildschirmen und in Serverprotokollen.",
    en="{token} in the subject: subjects appear on lock screens and in server logs.",
    good=Example(mail("LOCATION", subject="Ihr Termin")),
    bad=Example(mail("LOCATION", subject="Ihr Zugang: %MEETINGPASSWORD%")),
    on="email",
)
def personal_in_subject(view: View) -> Iterator[Hit]:
    """Names and contact data (warning) or the access itself (error) in a subject."""
    for seen in view.subject_tokens:
        if seen.placeholder and seen.placeholder.meaning in PERSONAL_MEANINGS:
            access = seen.placeholder.meaning in {"tan", "join_link"}
            yield Hit(seen.token, SUBJECT, severity=Severity.ERROR if access else None)


@template_check(
    "cancel-link-elsewhere",
    Severity.ERROR,
    de="Der Absagelink führt nicht zu eTermin. Eine Absage anderswo erreicht eTermin nie.",
    en="The cancellation link does not lead to eTermin. A cancellation elsewhere never reaches eTermin.",
    good=Example(mail('LOCATION <a href="https://www.etermin.net/x">Termin absagen</a>')),
    bad=Example(mail('LOCATION <a href="https://www.arztkonsultation.de/x">Termin absagen</a>')),
)
def cancel_link_elsewhere(view: View) -> Iterator[Hit]:
    """A link that speaks of cancelling and leads to another host than eTermin's."""
    cancels = view.registry.tokens_of("cancel_link")
    for link in links_of(view):
        if not _CANCEL_WORDS.search(f"{link.label} {link.target}") or link.target in cancels:
            continue
        elsewhere = link.scheme in {"http", "https"} and not belongs_to(link.host, ETERMIN_HOSTS)
        if elsewhere or link.is_token:
            yield Hit(link.target, link.offset)


@template_check(
    "both-notify",
    Severity.ERROR,
    de="eTermin und arztkonsultation bestätigen beide: Patienten bekommen zwei Mails, eine mit fremdem Absagelink.",
    en="eTermin and arztkonsultation both confirm: patients get two mails, one with a foreign cancellation link.",
    good=Example(mail("LOCATION"), setup=Setup(notify_patient=True, arztkonsultation_notifies=False)),
    bad=Example(mail("LOCATION"), setup=Setup(notify_patient=True, arztkonsultation_notifies=True)),
    on="email",
)
def both_notify(view: View) -> Iterator[Hit]:
    """Two systems write to the patient."""
    setup = view.setup
    if setup and view.template.kind == "confirmation" and setup.notify_patient and setup.arztkonsultation_notifies:
        yield Hit("arztkonsultation_notifies")


@template_check(
    "nobody-notifies",
    Severity.ERROR,
    de="Weder eTermin noch arztkonsultation bestätigt: Diesen Text bekommt niemand.",
    en="Neither eTermin nor arztkonsultation confirms: nobody receives this text.",
    good=Example(mail("LOCATION"), setup=Setup(notify_patient=True, arztkonsultation_notifies=False)),
    bad=Example(mail("LOCATION"), setup=Setup(notify_patient=False, arztkonsultation_notifies=False)),
    on="email",
)
def nobody_notifies(view: View) -> Iterator[Hit]:
    """No system writes to the patient."""
    setup = view.setup
    if setup is None or view.template.kind != "confirmation":
        return
    if setup.notify_patient is False and setup.arztkonsultation_notifies is False:
        yield Hit("notify_patient")


@template_check(
    "empty-override",
    Severity.ERROR,
    de="Der abweichende Text ist leer: eTermin würde eine leere Nachricht senden (NOEMAIL unterdrückt sie).",
    en="The override is empty: eTermin would send an empty message (NOEMAIL suppresses it).",
    good=Example(mail("NOEMAIL", service='"4711"')),
    bad=Example(mail("", service='"4711"')),
)
def empty_override(view: View) -> Iterator[Hit]:
    """eTermin's field for a text per service starts empty; a global text that is empty is as bad."""
    own = view.template.own
    if not own.strip() or (view.template.format == "html" and "<img" not in own.lower() and not visible_text(own)):
        yield Hit(view.template.service or view.template.calendar or view.template.kind)


@template_check(
    "suppressed",
    Severity.NOTE,
    de="NOEMAIL: eTermin sendet diese E-Mail nicht.",
    en="NOEMAIL: eTermin does not send this mail.",
    good=Example(mail("LOCATION", service='"4711"')),
    bad=Example(mail("NOEMAIL", service='"4711"')),
)
def suppressed(view: View) -> Iterator[Hit]:
    """``NOEMAIL`` for one service is a note; in the global text, or in an SMS, it is a mistake."""
    for seen in view.meanings("suppress")[:1]:
        harmless = view.template.service and view.template.channel == "email"
        yield Hit(seen.token, seen.start, severity=None if harmless else Severity.ERROR)


@template_check(
    "booking-page-token",
    Severity.ERROR,
    de="{token} gehört auf Seite 2 der Buchungsseite, nicht in eine Nachricht.",
    en="{token} belongs on page 2 of the booking page, not into a message.",
    good=Example(mail("LOCATION %SERVICETEXT%")),
    bad=Example(mail("LOCATION %INFOTEXTP2%")),
)
def booking_page_token(view: View) -> Iterator[Hit]:
    """A placeholder of the booking page in a mail."""
    for seen in view.meanings("booking_page_text"):
        yield Hit(seen.token, seen.start)


@template_check(
    "location-in-person",
    Severity.WARNING,
    de="LOCATION als Linkziel: Bei Terminen vor Ort steht dort eine Anschrift, und der Link führt ins Leere.",
    en="LOCATION as link target: for appointments in person it holds an address, and the link leads nowhere.",
    good=Example(mail("<a href='LOCATION'>x</a>"), setup=Setup(services={"1": VIDEO})),
    bad=Example(mail("<a href='LOCATION'>x</a>"), setup=Setup(services={"1": VIDEO, "2": "Praxis"})),
    on="html",
)
def location_in_person(view: View) -> Iterator[Hit]:
    """A shared text in a practice that also sees patients in person."""
    if not (view.setup and view.setup.is_mixed) or view.template.service:
        return
    joins = view.registry.tokens_of("join_link")
    for link in links_of(view):
        if link.target in joins:
            yield Hit(link.target, link.offset)


@template_check(
    "reminder-time",
    Severity.WARNING,
    de="„{token}“: Die dritte Erinnerung geht immer etwa 15 Minuten vor dem Termin hinaus.",
    en='"{token}": the third reminder always goes out about 15 minutes before the appointment.',
    good=Example(mail("Gleich geht es los: LOCATION", kind="reminder3")),
    bad=Example(mail("Morgen ist Ihr Termin: LOCATION", kind="reminder3")),
)
def reminder_time(view: View) -> Iterator[Hit]:
    """A third reminder that speaks of tomorrow."""
    if view.template.kind == "reminder3":
        for match in _DAY_WORDS.finditer(view.template.body):
            yield Hit(match.group(), match.start())


@template_check(
    "patient-in-provider-mail",
    Severity.NOTE,
    de="{token} in der Nachricht an die Praxis: Postfächer bewahren sie länger auf als die Löschregel erlaubt.",
    en="{token} in the message to the practice: mailboxes keep it longer than the deletion rule allows.",
    good=Example(mail("Neue Buchung am %STARTDATE%", kind="provider")),
    bad=Example(mail("Neue Buchung: %MEETINGPASSWORD%", kind="provider")),
)
def patient_in_provider_mail(view: View) -> Iterator[Hit]:
    """Personal data in the mail to the provider end up in a mailbox that no purge reaches."""
    if view.template.kind == "provider":
        for seen in view.meanings(*PERSONAL_MEANINGS):
            yield Hit(seen.token, seen.start)


@template_check(
    "no-subject",
    Severity.WARNING,
    de="Die E-Mail hat keinen Betreff.",
    en="The mail has no subject.",
    good=Example(mail("LOCATION")),
    bad=Example(mail("LOCATION", subject=" ")),
    on="email",
)
def no_subject(view: View) -> Iterator[Hit]:
    """A mail without a subject, unless an override leaves it to the global text."""
    if not view.template.subject.strip() and view.template.declared and not view.template.is_override:
        yield Hit("subject", WHOLE)
