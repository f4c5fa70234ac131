"""Words of a question: which of them carry meaning, in English, German, French and Spanish.

A word that is common in one language and means something in another ("comment", "car", "die") is not listed: the
articles themselves show how common it is.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

_STOP = """
    a about am an and any are aren't as at be because been being but by can can't cannot could couldn't did didn't do
    does doesn't doing don't each else ever for from get gets getting got had has hasn't have haven't having he hello
    her here hey hi him his how how's i i'd i'll i'm i've if in into is isn't it it's its just know let like may me
    might more most much must my myself need no not now of off oh ok on or our out please possible shall she should so
    some someone something somehow such than thank thanks that that's the their them then there there's these they
    thing things this those to too tell up upon us very want wanted wants was wasn't way ways we well were what what's
    when where where's whether which while who whom whose why will with without won't would wouldn't yes you your
    yours able also only dont cant im ive isnt doesnt didnt whats
    aber als also auch auf aus bei bin bist bitte da damit dann das dass dein dem den der des dich dir du durch ein
    eine einem einen einer eines er es etwas für gibt habe haben hallo hat ich ihr im ist ja kann kannst können könnte
    man mein meine meinem meinen meiner mich mir mit möchte muss nach nicht noch nur oder ohne schon sein sich sie sind
    soll über um und uns unser von vom vor wann warum wenn wer werden wie wieso will wir wird wo wurde zu zum zur
    au aux avec ce ces cet cette comme dans de des du elle en est et eux il ils j'ai je jusque la le les leur lui ma
    mais mes moi mon ne nos notre nous où ou par pas peut peux pour pourquoi puis qu'est quand que quel quelle quels
    quelles qui sa sans se ses si sont sur ta te tes toi ton tu un une vos votre vous voudrais c'est est-ce
    al algo ante como cómo con cual cuál cuando cuándo cuanto cuánto del desde donde dónde el ella ellos era eres es
    esa ese eso esta está están este esto estoy hay hola lo los las más mi mis muy nada ni nosotros para pero poder
    por porque puede puedo qué quién quiero según ser si sí sobre soy su sus también tengo tiene tienen una uno unos
    usted ya yo
"""
_LIGHT = """
    add ask asked asking best better big bring called came change come comes coming correct did different difference
    do done easy easily enough exactly fast few find found fix full give given gives go goes going gone good great happen happened
    happening happens help here high idea issue keep keeps kind last later least left less little live long look looking looks low made
    make makes making many mean means name never new next often old own part place put quick quickly question problem
    really right said say says see seem seems seen send sent set show side since small sort start started stop still
    suggest sure take takes taken taking tells time times today together tomorrow took trying try turn understand use used
    uses using user usually went whole work worked working works wrong yesterday yet anyone everyone people person
    one two three first second back same another other others every all always around before after again during near
    machen macht geht gehen funktioniert hilfe problem frage neue neuen neuer alle immer finden finde gut lange viel
    faire fait marche fonctionne aide problème nouveau nouvelle tous toujours trouver bien
    hacer hace funciona ayuda problema nuevo nueva todos siempre encontrar bien
"""

STOP = frozenset(_STOP.split())
"""Words that carry no meaning on their own."""

LIGHT = frozenset(_LIGHT.split())
"""Words that say little: they count, but less."""


def words(text: str) -> list[str]:
    """The words of a text in order, case folded; apostrophes inside a word stay."""
    return [match.replace("’", "'") for match in _WORD.findall(text.casefold())]


def informative(text: str) -> list[str]:
    """Each word that says what is asked, once, in order; all of them if every one is a stop word."""
    found = list(dict.fromkeys(words(text)))
    return [word for word in found if word not in STOP] or found
