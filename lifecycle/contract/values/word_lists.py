"""The word lists behind the value checks. Small on purpose: a word that is also a surname needs a context.

Lower case, parted by commas; German ä, ö, ü, ß as they are. Kept by hand: add a word with an example of each kind.
"""

from __future__ import annotations


def _listed(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(",") if word.strip())


ILLNESS_STEMS = _listed(
    """
    diabet, depression, depressiv, karzinom, metastas, chemother, strahlenther, schizophren, psychose, psychosom,
    psychiatr, psychother, neurose, borderline, bipolare stör, angststör, essstör, zwangsstör, panikattack, panikstör,
    anorexi, bulimi, epilep, demenz, schlaganfall, herzinfarkt, herzinsuff, herzrhythm, vorhofflimm, brustkrebs,
    hautkrebs, darmkrebs, lungenkrebs, prostatakrebs, krebserkr, krebsnachs, krebsvors, leukämi, lymphom, melanom,
    geschwulst, hepatitis, tuberkul, syphilis, gonorrh, chlamydi, geschlechtskr, arthritis, arthrose, osteopor, rheuma,
    bronchitis, lungenentz, asthma, neurodermit, psoriasis, schuppenflecht, ekzem, allergie, gastritis, reizdarm,
    morbus crohn, colitis, zöliakie, sodbrennen, hämorrhoid, inkontinenz, migräne, kopfschmerz, rückenschmerz,
    bauchschmerz, halsschmerz, bandscheib, hexenschuss, schwanger, abtreibung, fehlgeburt, endometrio, wechseljahr,
    unfruchtbar, erektions, impoten, alkoholabh, alkoholsucht, suchterkr, suchtkrank, drogensucht, entzugskl, suizid,
    selbstmord, selbstverletz, burnout, burn-out, krankschreib, krankmeld, arbeitsunfähig, bluthochdruck, hypertonie,
    thrombose, embolie, anämie, schilddrüs, hashimoto, niereninsuff, dialyse, nierenstein, gallenstein, leberzirrh,
    harnwegsinf, blasenentz, mandelentz, mittelohrentz, bindehautentz, multiple sklerose, parkinsonerkr, autismus,
    traumafolge, belastungsstör, schlafstör, tinnitus, hörsturz, gürtelrose, corona-inf, covid, insulin, antidepress,
    antibiotik, blutdruckmess, medikament, kreuzbandr, knochenbruch, krampfader, nasenpolyp,
    zeckenbiss, heuschnupfen, fußpilz, tennisarm, nagelpilz, herpes, scharlach, windpocken, masern, borreliose,
    lungenembol, herzklappe, bypass-op, chemo-, katheter, künstliche befruchtung, sterilisation, wurzelbehandl,
    cancer patient, breast cancer, lung cancer, carcinoma, anxiety disor, eating disor, dementia, heart attack,
    heart failure, leukemia, lymphoma, melanoma, pneumonia, tubercul, migraine, back pain, headache, stomach ache,
    pregnan, abortion, miscarriage, infertil, alcoholi, addiction, suicid, self-harm, high blood press, hypertension,
    thrombosis, kidney stone, sick note, sick leave, prescription, medication, multiple sclerosis, autism spectr,
    insomnia, hay fever, herpes, chickenpox, lyme disease
    """
)
"""Found anywhere in a text. None of them is part of a known surname."""

ILLNESS_TOKENS = _listed("HIV, AIDS, ADHS, ADHD, COPD, KHK, PTBS, PTSD, PCOS, STD, MRSA")
"""Found as a word of its own in capitals."""

ILLNESS_OR_NAME = _listed(
    """
    krebs, herz, grippe, fieber, husten, schnupfen, schmerz, schmerzen, angst, rücken, galle, lunge, leber, niere,
    magen, gicht, pest, sucht, trauma, tumor, akne, crohn, alzheimer, parkinson, hodgkin, tourette, asperger, cancer,
    stroke, pain, fever, flu, cough
    """
)
"""Surnames too: found only beside a word of `CONTEXT`, in brackets, or after a dash with spaces."""

CONTEXT = _listed(
    """
    wegen, verdacht, v.a., z.n., nachsorge, vorsorge, kontrolle, diagnose, diagnosis, therapie, therapy, behandlung,
    treatment, rezept, op, leidet, akute, akuter, chronische, chronischer, starke, patient mit, erkrankung,
    because of, suspected, chronic, acute, due to, grund, symptome
    """
)

SALUTATIONS = _listed(
    "herr, herrn, hr, frau, fr, fräulein, frl, mr, mrs, ms, miss, sir, madam, monsieur, madame",
)
"""Before a name, or alone in the field for the first name."""

TITLES = _listed(
    """
    prof, professor, professorin, dr. med, dr. rer, dr. phil, dr. jur, dr. ing, dr.-ing, dr. dent, med. dent, dipl,
    dipl.-ing, mag, priv.-doz, pd dr, ph.d, phd, m.a., m.sc, b.sc, b.a., mba
    """
)
"""A lone "Dr." before a name is left alone: "Dr. Oetker" is a name."""

FREE_TEXT = _listed(
    """
    bitte, danke, wegen, termin, termine, rückruf, zurückrufen, anrufen, möchte, möchten, brauche, braucht, benötigt,
    kommt, nicht, kein, keine, kann, nur, schon, immer, vormittags, nachmittags, abends, dolmetscher, begleitet,
    begleitperson, rollstuhl, spricht, versichert, privatpatient, kassenpatient, krankenkasse, überweisung, rezept,
    folgetermin, ersttermin, erstgespräch, neupatient, neupatientin, stammpatient, betreuer, betreuerin, vertretung,
    mutter, vater, tochter, kind, ehemann, ehefrau, please, appointment, because, needs, wants, call, insurance,
    interpreter, wheelchair, siehe, achtung, vorsicht, geb, geboren, wohnhaft, straße, arbeitet, ruft, wünscht, hinweis
    """
)
"""One of them beside another word makes a name a text."""
