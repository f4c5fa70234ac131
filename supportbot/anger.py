"""Whether a customer is angry, told by a short list of words and the shape of the message.

1. Every word and its weight stands here, to be read and argued with; nothing is learnt. Ten points make anger.
2. Shape (capital letters, "!!!") adds to words and never decides alone.
3. What stands in quotation marks counts nothing, and neither does a word in a name: `Bloody Mary`.
4. The lists of all languages are looked at, whatever the customer's: so no entry is an everyday word in another one.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from operator import itemgetter

from supportbot.heard import Heard, Phrase, Phrases, Word, phrase

ENOUGH = 10
"""Points from which on a message is angry."""

WEIGHTS: Mapping[str, int] = {"harsh": 10, "bad": 6, "again": 5, "sore": 4, "calm": 0}
"""harsh: insults, rage, threats · bad: swearing and hard verdicts · again: it is not the first time · sore: displeased ·
calm: hides what stands in it."""
_MOST: Mapping[str, int] = {"harsh": 3, "bad": 2, "again": 1, "sore": 1}
"""How many of a kind count."""

LEXICON: Mapping[str, Mapping[str, str]] = {
    "en": {
        "harsh": """
            idiots, you idiot, moron*, imbecile*, asshole*, arsehole*, bastard*, bitch*, dickhead*, cunt*,
            scumbag*, wanker*, clowns, liars, fuck*, stfu, bullshit, piece of shit/crap, go to hell, screw you,
            incompeten*, bunch of crooks/thieves/liars, you thieves/crooks/scammers,
            stupid/dumb/useless bot/robot/machine, useless company/service/support, bloody useless/joke,
            joke of a, absolute/complete/total/utter joke, what a joke, is this a joke, youre/are a joke,
            are you kidding, kidding me, must be kidding/joking,
            im/am/so/very/really/extremely/absolutely/beyond angry/furious, makes me angry, livid, fuming,
            enraged, pissed off, taking/take the piss, blood is boiling, fed up, sick of, tired of this/your/you,
            ive had enough, have had enough, had enough of, had it with, enough of this/your, last straw,
            out of patience, losing/lost my/all patience, i hate you/your, hate this company, shame on you,
            ashamed of yourselves, how dare you, do your job, get your act together, unacceptable, not acceptable,
            pathetic, disgraceful, shambles, you lied, lied/lying to me, wasting my time, stop ignoring,
            can/do you even read, lost all trust, my damn money, same copy paste,
            worst company/service/support/bank/shop/store/customer/experience/app, disgusting company/service/how,
            robbing me, you robbed, daylight robbery, sue/suing you, see you in court, take/taking you to court,
            hear from my lawyer/attorney/solicitor, report you to, reporting you,
            never buy/buying/order/ordering from you, never shop/shopping with you, never use/using you,
            lost/losing a customer, my business elsewhere
        """,
        "bad": """
            shit, shitty, crap, crappy, damn, damned, goddamn, bloody, wtf, ffs, what/why/where/how/who the hell,
            for gods/christs/fucks sake, useless, ridiculous, disgusting, disgrace, appalling, atrocious,
            outrageous, dreadful, horrendous, abysmal, insane, idiotic, clueless, farce, fiasco, nightmare,
            insulting, insult to,
            terrible/awful/horrible/poor/rubbish service/support/company/customer/experience, rip off, ripoff,
            ripped/ripping me off, this is a scam, total/complete scam, stupid, bad/sick joke,
            are you joking/deaf/blind, waste of time/money, wasted my time, answer me,
            stop asking/messing/repeating, ignoring me, being ignored, excuses, dont/doesnt care, fobbed off,
            runaround, nobody/none has helped, no one has helped, give me my money back, legal action,
            my lawyer/attorney/solicitor, small claims, trading standards, ombudsman, better business bureau,
            one/1 star review, bad/negative review, never again, tell/telling everyone, worst ever,
            absolute/utter nonsense, so/very/really/extremely/beyond frustrat*/disappoint*/annoy*/upset/unhappy
        """,
        "again": """
            third/fourth/fifth/tenth/hundredth/nth time, 3rd/4th/5th/10th/100th time, how many times/more,
            time and again, over and over, yet again, again and again, still nothing,
            still no answer/reply/response, still not fixed/working/arrived,
            nobody answers/replies/responds/cares, no one answers/replies/responds/cares, already told you,
            told you already/twice, already said, just told you, for weeks/months, weeks/months now
        """,
        "sore": """
            angry, furious, frustrat*, annoyed, annoying, disappointed, disappointing, upset, unhappy, ashamed,
            terrible, awful, horrible, worst, hate, nonsense, garbage, trash, rubbish, enough is enough, come on,
            seriously, unbelievable, a joke, hopeless, lawyer, sue, apology, fix it, sort it out, refund now,
            money back now
        """,
        "calm": """
            stupid/dumb question/mistake, my/own stupid, stupid of me, stupid me, feel/being/im stupid,
            feel so stupid, some idiot, am/im/like an idiot, idiot proof, not/longer angry,
            fucking great/awesome/amazing/love, fuck yeah, bloody good/brilliant/mary, damn good,
            oh damn/crap/shit, damn/crap/shit i forgot, not useless, not the worst, worst case, the worst comes,
            at worst, insane deal/price, fast and furious, angry birds, hate to ask/bother, i hate it when,
            dont hate, trash can/bin, garbage can/bag/disposal, rubbish bin/bag, dont care about/which/what,
            nightmare before, no legal action
        """,
    },
    "de": {
        "harsh": """
            idiot, idioten, idiotisch*, vollidiot*, trottel*, vollpfosten, arschloch*, arschlocher, wichser*,
            hurensohn*, drecksladen*, drecksverein*, saftladen*, sauladen*, scheissladen*, scheissverein*,
            scheissfirma*, scheissbot*, scheiss bot/laden/firma, so eine scheisse, verdammte scheisse, fick*,
            verarsch*, veralbern, fur dumm verkauf*, ihr/sie/alles/seid/sind betruger, betruger seid,
            betrugerverein*, abzocker*, abzockerei, lugner, luegner, inkompeten*, unfahig*, unfaehig*,
            dummer/bloder bot, blodes ding, wutend, wuetend, wut, stinksauer, stocksauer,
            bin/so/richtig/echt/sehr sauer, zur weissglut, schnauze/nase voll, faxen dicke, kotzt mich an,
            zum kotzen, mir/jetzt reichts, mir/jetzt reicht es, es reicht mir, nicht langer bieten,
            was erlauben sie, geduld ist am ende, geduld am ende, ich hasse sie/euch, unverschamt*, unverschaemt*,
            frechheit, unglaublich frech, schamen sie sich, schamt euch, zumutung, inakzeptabel, nicht akzeptabel,
            lacherlich*, laecherlich*, lachhaft, erbarmlich*, armutszeugnis, beschissen*, unter aller sau/kanone,
            soll das ein witz, schlechteste kunden*/service/firma/bank, schlechtester kunden*/service/laden/shop,
            verklage sie/euch, sie verklagen, euch verklagen, sehen uns vor gericht,
            hore/horen/hort von meinem anwalt, anzeige erstatten, erstatte anzeige, zeige sie/euch an,
            nie wieder/mehr bei ihnen/euch, bestelle/kaufe nie wieder
        """,
        "bad": """
            scheiss*, mistladen, verdammt*, verflucht*, zum teufel, zur holle, herrgott, katastrophal*,
            unterirdisch*, unertraglich*, mieser service/laden, miserabel*, skandal*, bodenlos*, dreist*, schande,
            peinlich, armselig, ein witz, schlechter witz/scherz, soll das ein scherz, abzocke, abgezockt,
            belogen, angelogen, ihr lugt, sie lugen, zeitverschwendung, meine zeit, unsinn, schwachsinn, blodsinn,
            nutzlos*, sinnlos*, alptraum, albtraum, antworten sie endlich/mir, antwortet endlich,
            konnen sie nicht/uberhaupt lesen, konnt ihr nicht lesen, hort auf, horen sie auf,
            werde/werden ignoriert, vertrostet, hingehalten, versteht gar nichts, mein/meinem/meinen anwalt,
            zum anwalt, rechtliche schritte, verbraucherzentrale, schlechte/negative bewertung, nie wieder,
            sehr/extrem/masslos/absolut enttauscht/verargert/genervt/frustriert, mir/sofort/endlich mein geld,
            dumm, dumme, bloder, blode
        """,
        "again": """
            zum dritten/vierten/funften/zehnten/hundertsten/xten mal, das dritte/vierte mal, schon wieder,
            wie oft, immer wieder, immer noch nichts/nicht/keine, noch immer nichts/nicht/keine,
            niemand/keiner antwortet, niemand/keiner meldet/kummert sich, seit wochen/monaten,
            schon dreimal/zehnmal, schon/bereits/gerade gesagt
        """,
        "sore": """
            argerlich, nervt, nervig, genervt, enttauscht, enttauschend, frustrier*, schlecht, schlimm,
            furchtbar*, schrecklich*, katastrophe, endlich, anwalt, mist, unfassbar, unglaublich, ernsthaft,
            unverstandlich, verargert
        """,
        "calm": """
            mensch argere dich nicht, dumme/blode frage, dummer fehler, nicht wutend/sauer/schlecht,
            schlecht lesbar, idiotensicher*, verdammt gut*/lecker, schon wieder da, scheisse/mist ich habe,
            wie oft muss/kann/wird/darf, wie oft soll ich, schlechte/negative bewertung schreiben/loschen
        """,
    },
    "fr": {
        "harsh": """
            connard*, connasse*, bande de cons/voleurs/menteurs/nuls, espece de con, sale con, enfoire*, encule*,
            salaud*, salope*, fils de pute, va te faire, allez vous faire, ta gueule, putain, abruti*, cretin*,
            imbecile*, bande didiots/descrocs/dincapables, bande d idiots/escrocs/incapables,
            etes des voleurs/escrocs/menteurs/incapables, incompetent*, bot/robot stupide/debile, foutez de moi,
            foutez de ma gueule, fout de moi, foutage de gueule, moquez/moque de moi, moquez/moque du monde,
            se moquer des clients, prenez pour un/une/des idiot*, furieux, furieuse, en colere, ras le bol,
            jen ai marre/assez, j en ai marre/assez, marre de, jen peux plus, j en peux plus,
            commence a bien faire, bout de patience, patience a des limites, perdre/perds patience, excede,
            excedee, hors de moi, pire service/entreprise/magasin/banque, je vous deteste, honte a vous,
            devriez avoir honte, cest une honte, c est une honte, honteux, honteuse, scandaleux, scandaleuse,
            inadmissible*, inacceptable*, lamentable*, menteur*, vous mentez, cest du vol, c est du vol,
            porter/porte/deposer/depose plainte, poursuivre en justice, devant le tribunal, mon avocat va/vous,
            jamais plus/rien chez vous, plus jamais chez vous, nacheterai plus, ne commanderai plus,
            perdu/perdez un client, perdu/perdez une cliente
        """,
        "bad": """
            merde*, bordel, fait chier, chiant*, foutu*, saloperie*, nom de dieu, scandale, intolerable*,
            ridicule*, minable*, pitoyable*, deplorable*, desastreux, desastreuse, catastrophique*, degueulasse*,
            insupportable*, aberrant*, stupide*, nul a chier, service est nul, service nul, cest nul, c est nul,
            nimporte quoi, n importe quoi, cauchemar, arnaque, voleurs, escroquerie, mensonge*, menti,
            cest une blague, c est une blague, mauvaise blague, vous plaisantez/rigolez, perte de temps,
            perdre mon temps, repondez moi, savez vous lire, vous mignorez, on mignore, mon avocat,
            action en justice, repression des fraudes, avis negatif, mauvais avis, plus jamais, ca suffit,
            tres mecontent*/decu*/enerve*, ca menerve, ca m enerve, rendez moi mon argent
        """,
        "again": """
            troisieme/quatrieme/cinquieme/dixieme/centieme/enieme fois, 3eme/4eme/5eme/3e/4e fois,
            trois/quatre/dix fois que, combien de fois, encore une fois, toujours pas/rien/aucune,
            personne ne repond/fait, personne ne me repond, aucune reponse, depuis des semaines/mois,
            deja dit/explique, a chaque fois
        """,
        "sore": """
            decu, decue, decevant*, mecontent*, frustr*, enerve*, penible*, pire, serieusement, incroyable,
            avocat, honte, nul, nulle, exige, jexige
        """,
        "calm": """
            question stupide/bete, erreur stupide, pas en colere, pas furieux, nul besoin, nulle part,
            pire des cas, encore une fois merci, merci encore une fois, combien de fois par/puis/peut/faut
        """,
    },
    "es": {
        "harsh": """
            idiota*, imbecil*, gilipollas, cabron*, hijo/hijos de puta, hijueputa*, puta, putas, puto, putos,
            pendejo*, tarado*, subnormal*, estupidos, inutiles, ineptos, incompetente*, bot/robot estupido,
            bot/empresa/servicio/tienda de mierda, vete/vayanse/iros a la mierda, que os/les den,
            bola/panda de ladrones, son/sois unos ladrones, sinverguenza*, estafadores, furioso, furiosa,
            estoy/muy enfadad*/enojad*/indignad*, cabread*, encabronad*, harto/harta de, estoy harto/harta,
            tienen harto/harta, hasta las narices, hasta los cojones, hasta la coronilla,
            acabo/acaba la paciencia, perdiendo la paciencia, el colmo, ya basta, basta ya,
            una/que/poca verguenza, deberia darles verguenza, tomadura de pelo, tomando/tomar el pelo, rien de mi,
            se estan riendo, una burla, falta de respeto, peor servicio/empresa/tienda/banco/atencion,
            son/sois lo peor, son/sois/vaya un desastre, vaya desastre/robo, los/os odio, odio esta empresa,
            que asco, asco de, inaceptable*, inadmisible*, indignante*, es un robo, menuda/menudo estafa/robo,
            han mentido, me mienten, voy a denunciar/demandar, poner una demanda, los/les demandare,
            en los tribunales, no vuelvo a comprar/pedir, no/jamas/nunca volvere, nunca mas compro,
            perdido/pierden un cliente, perdido/pierden una clienta
        """,
        "bad": """
            mierda*, que cono, joder, jodido*, jodida*, carajo, maldito*, maldita*, cojones, vergonzoso,
            vergonzosa, intolerable*, ridiculo, ridicula, lamentable*, pesimo*, pesima*, patetico, patetica,
            penoso, penosa, asqueroso, asquerosa, desastroso, desastre, pesadilla, se burlan, es una broma,
            robo a mano, estafa, mentira*, mentiroso*, perdida de tiempo, perder el tiempo, contesten ya,
            respondan ya, contesteme, respondanme, saben/sabe leer, me ignoran, estan ignorando,
            no les importa/importo, mi abogado, mis abogados, acciones legales, hoja de reclamaciones,
            defensa del consumidor, mala/negativa resena, nunca mas, muy molesto/molesta/decepcionad*, inutil,
            estupid*, mi dinero ya, devuelvanme mi dinero
        """,
        "again": """
            tercera/cuarta/quinta/decima/centesima/enesima vez, cuantas veces, otra vez, todavia nada/no, aun no,
            sigo/seguimos sin, nadie responde/contesta, nadie me responde/contesta/ayuda, nadie hace nada,
            hace/llevo semanas/meses, ya lo/les dije, ya se lo dije, ya he dicho
        """,
        "sore": """
            decepcionad*, decepcionante, molesto, molesta, frustrad*, frustrante, enfadad*, enojad*, fatal, peor,
            horrible, terrible, en serio, increible, abogado, verguenza, de una vez, les/os da igual
        """,
        "calm": """
            pregunta estupida/tonta, error estupido, no estoy enfadad*/enojad*, no es una broma, otra vez gracias,
            gracias otra vez, en el peor, desastre natural, cuantas veces puedo/se, aun no se
        """,
    },
}
"""Language -> kind -> phrases: a/b are alternatives, a * is any ending; case, accents and apostrophes do not matter."""

_EMOJI: Mapping[str, str] = {"🤬": "bad", "😡": "bad", "😠": "bad", "👿": "bad", "🖕": "harsh", "😤": "sore"}
_MASKED = re.compile(
    r"(?<![^\W_])(?:f[*#@]{2,4}|f[*#@]ck|sh[*#@]{1,2}t|s[*#@]{2,3}t|b[*#@]{3,4}h|a[*#@]{2,6}e)[a-z]*"
)
_QUOTED = re.compile('["“„«»]([^"“”„«»\n]{1,60})["”“»«]')
_MARKS = re.compile(r"!{2,}|[!?]{3,}")
_LOUD, _MARKED = 4, 5
_LOUD_WORDS = 3


@dataclass(frozen=True, slots=True)
class Anger:
    """How angry a message is, in points, and the customer's own words that show it."""

    points: int = 0
    found: tuple[str, ...] = ()

    @property
    def enough(self) -> bool:
        return self.points >= ENOUGH


@dataclass(frozen=True, slots=True)
class _Sign:
    kind: str
    language: str


def _compiled() -> tuple[Phrases, Mapping[str, _Sign]]:
    """All phrases, and what each of them, as written, is a sign of; of several the weightiest."""
    signs: dict[str, _Sign] = {}
    phrases: dict[tuple[str, ...], Phrase] = {}
    for kind in ("calm", *WEIGHTS):
        for language, kinds in LEXICON.items():
            for text in _spelled_out(kinds[kind]):
                entry = phrase(text)
                known = phrases.setdefault(entry.words, entry)
                signs.setdefault(known.text, _Sign(kind, language))
    return Phrases(tuple(phrases.values())), signs


def _spelled_out(texts: str) -> Iterator[str]:
    for text in texts.split(","):
        yield from map(" ".join, product(*(word.split("/") for word in text.split())))


_PHRASES, _SIGNS = _compiled()


def anger(heard: Heard) -> Anger:
    """How angry the message is."""
    found: dict[str, tuple[str, str]] = {}
    for sign, key, words in (*_said(heard), *_signed(heard)):
        found.setdefault(key, (sign, words))
    points, shown, counts = 0, [], dict.fromkeys(_MOST, 0)
    for kind, words in found.values():
        counts[kind] += 1
        if counts[kind] <= _MOST[kind]:
            points += WEIGHTS[kind]
            shown.append(words)
    for weight, words in _shape(heard):
        points += weight
        shown.append(words)
    return Anger(points, tuple(shown))


def _said(heard: Heard) -> Iterator[tuple[str, str, str]]:
    """(kind, what counts once, the customer's spelling) of each phrase."""
    quoted = [match.span() for match in _QUOTED.finditer(heard.text)]
    for place, entry in _PHRASES.find(heard.words):
        sign, last = _SIGNS[entry.text], place + len(entry.words) - 1
        if sign.kind == "calm" or _inside(heard.words, place, last, quoted):
            continue
        if sign.language != "de" and place == last and _in_a_name(heard, place):
            continue
        yield sign.kind, entry.text, f"“{heard.quote(place, last)}”"


def _signed(heard: Heard) -> Iterator[tuple[str, str, str]]:
    """The same for emoji and for swear words behind stars."""
    for letter, kind in _EMOJI.items():
        if letter in heard.text:
            yield kind, letter, letter
    for match in _MASKED.finditer(heard.folded):
        yield "bad", "masked", f"“{match.group()}”"


def _inside(words: Sequence[Word], first: int, last: int, quoted: Sequence[tuple[int, int]]) -> bool:
    place = bisect(quoted, words[first].start, key=itemgetter(0)) - 1
    return place >= 0 and words[last].end <= quoted[place][1]


def _in_a_name(heard: Heard, place: int) -> bool:
    """Whether the word and one beside it have a capital letter each, and it does not begin a sentence."""
    words = heard.words[max(0, place - 1) : place + 2]
    word = heard.words[place]
    if not _titled(heard, word) or not heard.text[: word.start].rstrip()[-1:].isalnum():
        return False
    return any(_titled(heard, other) for other in words if other != word)


def _titled(heard: Heard, word: Word) -> bool:
    spelled = heard.text[word.start : word.end]
    return len(spelled) > 1 and spelled[:1].isupper() and spelled[1:].islower()


def _shape(heard: Heard) -> Iterator[tuple[int, str]]:
    """(points, words for it): capital letters, exclamation marks."""
    spelled = [heard.text[word.start : word.end] for word in heard.words]
    long = [word for word in spelled if len(word) > 2 and word.isalpha()]
    loud = [word for word in long if word.isupper()]
    if len(loud) >= _LOUD_WORDS and len(loud) * 2 >= len(long):
        yield _LOUD, "capital letters"
    marks = max(_MARKS.findall(heard.folded), key=len, default="")
    if marks:
        yield _MARKED if len(marks) > 2 else _MARKED // 2, f"“{marks[:5]}”"
