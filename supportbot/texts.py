"""The fixed texts of the bot, and the words by which customers ask for a human, for help or to stop.

A text says only what is certain at the moment it is sent, or was measured: no promise, no name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES = ("en", "de", "fr", "es")

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

Overrides = Mapping[str, "str | Mapping[str, str]"]


def text(key: str, locale: str, overrides: Overrides | None = None, /, **values: object) -> str:
    """The text in the customer's language, or the nearest there is; an override comes before the shipped wording.

    A {placeholder} becomes its value; one without a value stays. KeyError for a key that does not exist.
    """
    return _filled(_chosen(TEXTS[key], (overrides or {}).get(key), locale), values)


def placeholders(template: str) -> frozenset[str]:
    """The names in braces."""
    return frozenset(_PLACEHOLDER.findall(template))


def _chosen(shipped: Mapping[str, str], own: str | Mapping[str, str] | None, locale: str) -> str:
    if isinstance(own, str):
        return own
    wanted = _wanted(locale)
    for by_language in (own or {}, shipped):
        for name in wanted:
            if name in by_language:
                return by_language[name]
    return (own or {}).get("en") or shipped["en"]


def _wanted(locale: str) -> tuple[str, ...]:
    full = locale.strip().replace("_", "-")
    base = full.partition("-")[0].lower()
    return (full, f"{base}-{full.partition('-')[2].upper()}", base)


def _filled(template: str, values: Mapping[str, object]) -> str:
    # in one pass: braces in a value are not looked at again
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), template)


TEXTS: Mapping[str, Mapping[str, str]] = {
    "help": {
        "en": 'I\'m the assistant of {bot}. Ask me your question in your own words. You can write "cancel" to stop '
        'what we are doing, or "talk to a human" to reach a colleague.',
        "de": "Ich bin der Assistent von {bot}. Stellen Sie Ihre Frage einfach in Ihren Worten. Mit „abbrechen“ beenden "
        "Sie den laufenden Vorgang, mit „mit einem Menschen sprechen“ erreichen Sie unser Team.",
        "fr": "Je suis l'assistant de {bot}. Posez votre question avec vos propres mots. Écrivez « annuler » pour "
        "arrêter la démarche en cours, ou « parler à un humain » pour joindre un collègue.",
        "es": "Soy el asistente de {bot}. Haga su pregunta con sus propias palabras. Escriba «cancelar» para detener lo "
        "que estamos haciendo, o «hablar con una persona» para contactar con un compañero.",
    },
    "handoff_told": {
        "en": "I've passed your conversation on to our team. A colleague can read everything you wrote and will answer "
        "you here.",
        "de": "Ich habe Ihr Gespräch an unser Team weitergegeben. Dort kann man alles lesen, was Sie geschrieben haben, "
        "und antwortet Ihnen hier.",
        "fr": "J'ai transmis votre conversation à notre équipe. Un collègue peut lire tout ce que vous avez écrit et "
        "vous répondra ici.",
        "es": "He pasado su conversación a nuestro equipo. Un compañero puede leer todo lo que ha escrito y le "
        "responderá aquí.",
    },
    "handoff_waiting": {
        "en": "I'm sorry for the wait: no colleague has been free for you yet. Your request is still open with our "
        "team, and you do not need to write again.",
        "de": "Entschuldigen Sie die Wartezeit: Bisher hatte noch niemand Zeit für Sie. Ihre Anfrage liegt weiterhin "
        "bei unserem Team, Sie müssen nicht noch einmal schreiben.",
        "fr": "Désolé pour l'attente : aucun collègue n'a encore pu se libérer. Votre demande reste ouverte auprès de "
        "notre équipe, inutile d'écrire à nouveau.",
        "es": "Disculpe la espera: ningún compañero ha podido atenderle todavía. Su solicitud sigue abierta en nuestro "
        "equipo y no hace falta que escriba de nuevo.",
    },
    "handoff_resumed": {
        "en": "I'm sorry: nobody from our team was able to take over so far. I'm the assistant again, and I'll help as "
        "well as I can. If you still need a person, just tell me.",
        "de": "Es tut mir leid: Aus unserem Team konnte bisher niemand übernehmen. Jetzt antwortet wieder der Assistent "
        "und hilft, so gut es geht. Wenn Sie weiterhin einen Menschen brauchen, sagen Sie es mir einfach.",
        "fr": "Je suis désolé : personne de notre équipe n'a pu prendre le relais jusqu'ici. L'assistant vous répond de "
        "nouveau et vous aidera de son mieux. S'il vous faut toujours une personne, dites-le-moi.",
        "es": "Lo siento: nadie de nuestro equipo ha podido hacerse cargo hasta ahora. Le atiende de nuevo el asistente "
        "y le ayudará lo mejor que pueda. Si aún necesita a una persona, dígamelo.",
    },
    "handoff_returned": {
        "en": "Our colleague has finished here, and I'm back: the assistant. Is there anything else I can do for you?",
        "de": "Unser Team ist hier fertig, jetzt antwortet wieder der Assistent. Kann ich noch etwas für Sie tun?",
        "fr": "Notre collègue a terminé ; l'assistant vous répond de nouveau. Puis-je faire autre chose pour vous ?",
        "es": "Nuestro compañero ha terminado; le atiende de nuevo el asistente. ¿Puedo ayudarle en algo más?",
    },
    "handoff_closed": {
        "en": "Nobody is here at the moment. We are back {when}, and you need not wait here: the answer will be in this "
        "conversation.",
        "de": "Im Moment ist niemand da. Wir sind {when} wieder da. Sie müssen hier nicht warten: Die Antwort steht dann in "
        "diesem Gespräch.",
        "fr": "Il n'y a personne en ce moment. Nous serons de retour {when}, inutile d'attendre ici : la réponse arrivera "
        "dans cette conversation.",
        "es": "En este momento no hay nadie. Volvemos {when} y no hace falta que espere aquí: la respuesta llegará a esta "
        "conversación.",
    },
    "handoff_closed_long": {
        "en": "Nobody is here at the moment, and I cannot tell you when somebody will be.",
        "de": "Im Moment ist niemand da, und ich kann Ihnen nicht sagen, wann wieder jemand da sein wird.",
        "fr": "Il n'y a personne en ce moment, et je ne peux pas vous dire quand quelqu'un sera là.",
        "es": "En este momento no hay nadie y no puedo decirle cuándo lo habrá.",
    },
    "handoff_place": {
        "en": "You are number {place} in line.",
        "de": "Sie sind an Stelle {place} der Warteschlange.",
        "fr": "Vous êtes numéro {place} dans la file d'attente.",
        "es": "Es el número {place} en la cola.",
    },
    "handoff_wait": {
        "en": "Lately, four out of five people had somebody within {time}.",
        "de": "Zuletzt hatten vier von fünf innerhalb von {time} jemanden.",
        "fr": "Ces derniers temps, quatre personnes sur cinq ont eu quelqu'un en {time}.",
        "es": "Últimamente, cuatro de cada cinco personas han sido atendidas en {time}.",
    },
    "handoff_cancel": {
        "en": "Back to the assistant",
        "de": "Zurück zum Assistenten",
        "fr": "Revenir à l'assistant",
        "es": "Volver al asistente",
    },
    "handoff_cancelled": {
        "en": "All right, I'm here for you again: the assistant. What can I do for you?",
        "de": "In Ordnung, jetzt antwortet wieder der Assistent. Was kann ich für Sie tun?",
        "fr": "D'accord, l'assistant vous répond de nouveau. Que puis-je faire pour vous ?",
        "es": "De acuerdo, le atiende de nuevo el asistente. ¿Qué puedo hacer por usted?",
    },
    "handoff_still": {
        "en": "All right. You are still in line for a colleague.",
        "de": "In Ordnung. Sie warten weiterhin auf jemanden aus unserem Team.",
        "fr": "D'accord. Vous êtes toujours dans la file d'attente pour un collègue.",
        "es": "De acuerdo. Sigue en la cola para hablar con un compañero.",
    },
    "handoff_moved": {
        "en": "I've passed your conversation on to another team of ours. You do not need to write anything again.",
        "de": "Ich habe Ihr Gespräch an ein anderes Team von uns weitergegeben. Sie müssen nichts noch einmal schreiben.",
        "fr": "J'ai transmis votre conversation à une autre de nos équipes. Inutile de réécrire quoi que ce soit.",
        "es": "He pasado su conversación a otro de nuestros equipos. No hace falta que escriba nada otra vez.",
    },
    "handoff_reopened": {
        "en": "I've told our team that you have written again. A colleague will answer you here.",
        "de": "Ich habe unserem Team gesagt, dass Sie noch einmal geschrieben haben. Man antwortet Ihnen hier.",
        "fr": "J'ai prévenu notre équipe que vous avez réécrit. Un collègue vous répondra ici.",
        "es": "He avisado a nuestro equipo de que ha vuelto a escribir. Un compañero le responderá aquí.",
    },
    "handoff_rate": {
        "en": "How content are you with the help you got?",
        "de": "Wie zufrieden sind Sie mit der Hilfe, die Sie bekommen haben?",
        "fr": "Êtes-vous satisfait de l'aide que vous avez reçue ?",
        "es": "¿Qué le ha parecido la ayuda que ha recibido?",
    },
    "handoff_rated": {
        "en": "Thank you, that helps us.",
        "de": "Danke, das hilft uns.",
        "fr": "Merci, cela nous aide.",
        "es": "Gracias, nos ayuda.",
    },
    "overdue": {
        "en": "I'm sorry, I could not answer you in time. Please send your message once more, or ask for a human.",
        "de": "Es tut mir leid, ich konnte Ihnen nicht rechtzeitig antworten. Bitte schicken Sie Ihre Nachricht noch "
        "einmal, oder fragen Sie nach einem Menschen.",
        "fr": "Je suis désolé, je n'ai pas pu vous répondre à temps. Renvoyez votre message, ou demandez à parler à un "
        "humain.",
        "es": "Lo siento, no he podido responderle a tiempo. Envíe su mensaje otra vez o pida hablar con una persona.",
    },
    "overdue_handoff": {
        "en": "I'm sorry, I could not answer you in time. I've passed your message on to our team; a colleague will "
        "answer you here.",
        "de": "Es tut mir leid, ich konnte Ihnen nicht rechtzeitig antworten. Ihre Nachricht liegt jetzt bei unserem "
        "Team, das Ihnen hier antwortet.",
        "fr": "Je suis désolé, je n'ai pas pu vous répondre à temps. J'ai transmis votre message à notre équipe ; un "
        "collègue vous répondra ici.",
        "es": "Lo siento, no he podido responderle a tiempo. He pasado su mensaje a nuestro equipo; un compañero le "
        "responderá aquí.",
    },
    "cancelled": {
        "en": "All right, I've stopped that. What else can I do for you?",
        "de": "In Ordnung, ich habe das abgebrochen. Was kann ich sonst für Sie tun?",
        "fr": "D'accord, j'ai arrêté. Que puis-je faire d'autre pour vous ?",
        "es": "De acuerdo, lo he detenido. ¿Qué más puedo hacer por usted?",
    },
    "nothing_to_cancel": {
        "en": "There is nothing to cancel right now. What can I do for you?",
        "de": "Im Moment gibt es nichts abzubrechen. Was kann ich für Sie tun?",
        "fr": "Il n'y a rien à annuler pour le moment. Que puis-je faire pour vous ?",
        "es": "Ahora mismo no hay nada que cancelar. ¿Qué puedo hacer por usted?",
    },
    "invalid": {
        "en": "I could not read that as an answer. Could you write it once more?",
        "de": "Das konnte ich nicht als Antwort lesen. Können Sie es noch einmal schreiben?",
        "fr": "Je n'ai pas pu lire cela comme une réponse. Pouvez-vous l'écrire encore une fois ?",
        "es": "No he podido entender eso como respuesta. ¿Puede escribirlo otra vez?",
    },
    "share_phone": {
        "en": "Share my phone number",
        "de": "Meine Telefonnummer teilen",
        "fr": "Partager mon numéro de téléphone",
        "es": "Compartir mi número de teléfono",
    },
    "share_location": {
        "en": "Share my location",
        "de": "Meinen Standort teilen",
        "fr": "Partager ma position",
        "es": "Compartir mi ubicación",
    },
    "yes": {"en": "Yes", "de": "Ja", "fr": "Oui", "es": "Sí"},
    "no": {"en": "No", "de": "Nein", "fr": "Non", "es": "No"},
    "invalid_number": {
        "en": "I need a number here. Could you write it in digits?",
        "de": "Hier brauche ich eine Zahl. Können Sie sie in Ziffern schreiben?",
        "fr": "J'ai besoin d'un nombre ici. Pouvez-vous l'écrire en chiffres ?",
        "es": "Aquí necesito un número. ¿Puede escribirlo con cifras?",
    },
    "invalid_email": {
        "en": "That does not look like an e-mail address. It reads like name@example.com.",
        "de": "Das sieht nicht nach einer E-Mail-Adresse aus. Sie sieht so aus: name@example.com.",
        "fr": "Cela ne ressemble pas à une adresse e-mail. Elle s'écrit comme nom@example.com.",
        "es": "Eso no parece una dirección de correo. Se escribe como nombre@example.com.",
    },
    "invalid_phone": {
        "en": "That does not look like a phone number. Please write it with its area code.",
        "de": "Das sieht nicht nach einer Telefonnummer aus. Bitte schreiben Sie sie mit Vorwahl.",
        "fr": "Cela ne ressemble pas à un numéro de téléphone. Écrivez-le avec l'indicatif, s'il vous plaît.",
        "es": "Eso no parece un número de teléfono. Escríbalo con el prefijo, por favor.",
    },
    "invalid_date": {
        "en": "I could not read that as a date. A day such as 2026-05-03 or 3 May works.",
        "de": "Das konnte ich nicht als Datum lesen. Ein Tag wie 3.5.2026 oder 3. Mai geht.",
        "fr": "Je n'ai pas pu lire cela comme une date. Un jour comme 03/05/2026 ou 3 mai convient.",
        "es": "No he podido entender eso como fecha. Vale un día como 03/05/2026 o 3 de mayo.",
    },
    "invalid_yes_no": {
        "en": "Please answer yes or no.",
        "de": "Bitte antworten Sie mit Ja oder Nein.",
        "fr": "Répondez par oui ou par non, s'il vous plaît.",
        "es": "Responda sí o no, por favor.",
    },
    "choose_number": {
        "en": "Please choose one of these; the number is enough:",
        "de": "Bitte wählen Sie eines davon; die Nummer genügt:",
        "fr": "Choisissez l'une de ces réponses ; le numéro suffit :",
        "es": "Elija una de estas opciones; basta con el número:",
    },
    "flow_changed": {
        "en": "This procedure has been changed in the meantime, so we have to begin it again. I'm sorry for the detour.",
        "de": "Dieser Vorgang wurde inzwischen geändert, deshalb müssen wir ihn neu beginnen. Entschuldigen Sie den Umweg.",
        "fr": "Cette démarche a été modifiée entre-temps, il faut donc la recommencer. Désolé pour ce détour.",
        "es": "Este trámite ha cambiado mientras tanto, así que hay que empezarlo de nuevo. Disculpe la molestia.",
    },
    "attachment_beside": {
        "en": "I've kept your file for my colleagues, but I cannot look into files like this one myself.",
        "de": "Ihre Datei habe ich für unser Team aufbewahrt; selbst kann ich in solche Dateien nicht hineinsehen.",
        "fr": "J'ai gardé votre fichier pour mes collègues, mais je ne peux pas ouvrir ce genre de fichier moi-même.",
        "es": "He guardado su archivo para mis compañeros, pero yo no puedo abrir archivos como este.",
    },
    "attachment_too_large": {
        "en": "Your file is too large for me to take. Could you send a smaller one, or tell me in words what it shows?",
        "de": "Ihre Datei ist zu groß für mich. Können Sie eine kleinere schicken oder in Worten sagen, was sie zeigt?",
        "fr": "Votre fichier est trop volumineux. Pouvez-vous en envoyer un plus petit, ou me dire ce qu'il montre ?",
        "es": "Su archivo es demasiado grande. ¿Puede enviar uno más pequeño o decirme con palabras qué muestra?",
    },
    "voice_unread": {
        "en": "I've received your recording, but I cannot listen to or watch recordings yet. Could you write it to me?",
        "de": "Ihre Aufnahme ist angekommen, aber anhören oder ansehen kann ich Aufnahmen noch nicht. Können Sie es mir "
        "schreiben?",
        "fr": "J'ai bien reçu votre enregistrement, mais je ne peux pas encore l'écouter ni le regarder. Pouvez-vous me "
        "l'écrire ?",
        "es": "He recibido su grabación, pero todavía no puedo escuchar ni ver grabaciones. ¿Me lo puede escribir?",
    },
    "voice_beside": {
        "en": "I've kept your recording for my colleagues, but I cannot listen to or watch it myself yet.",
        "de": "Ihre Aufnahme habe ich für unser Team aufbewahrt; selbst anhören oder ansehen kann ich sie noch nicht.",
        "fr": "J'ai gardé votre enregistrement pour mes collègues, mais je ne peux pas encore l'écouter ou le regarder.",
        "es": "He guardado su grabación para mis compañeros, pero yo todavía no puedo escucharla ni verla.",
    },
    "choice_closed": {
        "en": "That choice is not open to you, or not any more. Please tell me in words what you need.",
        "de": "Diese Auswahl steht Ihnen nicht oder nicht mehr offen. Bitte schreiben Sie mir, was Sie brauchen.",
        "fr": "Ce choix ne vous est pas, ou plus, proposé. Dites-moi avec vos mots ce dont vous avez besoin.",
        "es": "Esa opción no está disponible para usted, o ya no lo está. Dígame con palabras lo que necesita.",
    },
    "edited_late": {
        "en": 'I saw that you changed an earlier message, but I had already gone on with it. Write "cancel" to start over.',
        "de": "Ich habe gesehen, dass Sie eine frühere Nachricht geändert haben, war damit aber schon weiter. Mit "
        "„abbrechen“ beginnen wir neu.",
        "fr": "J'ai vu que vous avez modifié un message précédent, mais j'avais déjà continué. Écrivez « annuler » pour "
        "recommencer.",
        "es": "He visto que cambió un mensaje anterior, pero ya había seguido adelante. Escriba «cancelar» para empezar "
        "de nuevo.",
    },
    "confirm_call": {
        "en": "May I do this for you? It is done only if you say yes.\n\n{what}",
        "de": "Soll ich das für Sie erledigen? Es geschieht nur, wenn Sie Ja sagen.\n\n{what}",
        "fr": "Puis-je faire cela pour vous ? Ce n'est fait que si vous dites oui.\n\n{what}",
        "es": "¿Quiere que lo haga? Solo se hace si dice que sí.\n\n{what}",
    },
    "declined": {
        "en": "All right, I have not done that.",
        "de": "In Ordnung, das habe ich nicht gemacht.",
        "fr": "D'accord, je ne l'ai pas fait.",
        "es": "De acuerdo, no lo he hecho.",
    },
    "identity_needed": {
        "en": "For that I have to be sure who you are.",
        "de": "Dafür muss ich sicher sein, wer Sie sind.",
        "fr": "Pour cela, je dois être sûr de votre identité.",
        "es": "Para eso debo estar seguro de quién es usted.",
    },
    "code_wrong": {
        "en": "That is not the code I sent. Please look once more.",
        "de": "Das ist nicht der Code, den ich geschickt habe. Bitte sehen Sie noch einmal nach.",
        "fr": "Ce n'est pas le code que j'ai envoyé. Vérifiez encore une fois, s'il vous plaît.",
        "es": "Ese no es el código que envié. Mírelo otra vez, por favor.",
    },
    "code_over": {
        "en": "That code can no longer be used.",
        "de": "Dieser Code gilt nicht mehr.",
        "fr": "Ce code n'est plus valable.",
        "es": "Ese código ya no es válido.",
    },
    "approval_asked": {
        "en": "A colleague has to allow this first. I have asked, and I'll write to you here once it is decided.",
        "de": "Das muss erst jemand aus unserem Team erlauben. Ich habe gefragt und schreibe Ihnen hier, sobald es "
        "entschieden ist.",
        "fr": "Un collègue doit d'abord l'autoriser. J'ai posé la question et je vous écrirai ici dès que c'est décidé.",
        "es": "Primero tiene que autorizarlo un compañero. Ya lo he preguntado y le escribiré aquí cuando se decida.",
    },
    "approval_denied": {
        "en": "Our team has looked at it and did not allow it, so nothing was done.",
        "de": "Unser Team hat es geprüft und nicht erlaubt, es wurde also nichts gemacht.",
        "fr": "Notre équipe l'a examiné et ne l'a pas autorisé : rien n'a été fait.",
        "es": "Nuestro equipo lo ha revisado y no lo ha autorizado, así que no se ha hecho nada.",
    },
    "approval_late": {
        "en": "Nobody could decide on this so far, so nothing was done. I've passed your conversation on to our team, and "
        "a colleague will answer you here.",
        "de": "Bisher konnte niemand darüber entscheiden, es wurde also nichts gemacht. Ich habe Ihr Gespräch an unser "
        "Team weitergegeben, das Ihnen hier antwortet.",
        "fr": "Personne n'a encore pu décider, rien n'a donc été fait. J'ai transmis votre conversation à notre équipe, "
        "un collègue vous répondra ici.",
        "es": "Nadie ha podido decidirlo todavía, así que no se ha hecho nada. He pasado su conversación a nuestro equipo "
        "y un compañero le responderá aquí.",
    },
    "call_started": {
        "en": "I've started that. It takes a few minutes; I'll write to you here as soon as it is done.",
        "de": "Ich habe das angestoßen. Es dauert ein paar Minuten; ich schreibe Ihnen hier, sobald es fertig ist.",
        "fr": "C'est lancé. Cela prend quelques minutes ; je vous écrirai ici dès que ce sera fait.",
        "es": "Ya está en marcha. Tarda unos minutos; le escribiré aquí en cuanto esté listo.",
    },
    "call_done": {
        "en": "That is done.",
        "de": "Das ist erledigt.",
        "fr": "C'est fait.",
        "es": "Ya está hecho.",
    },
    "call_failed": {
        "en": "I'm sorry, that did not work.",
        "de": "Es tut mir leid, das hat nicht geklappt.",
        "fr": "Je suis désolé, cela n'a pas fonctionné.",
        "es": "Lo siento, no ha funcionado.",
    },
    "working": {
        "en": "is looking into it…",
        "de": "sieht nach …",
        "fr": "cherche…",
        "es": "lo está mirando…",
    },
    "attachment_unread": {
        "en": "I've received your file, but I cannot read files here. Could you tell me in words what it is about?",
        "de": "Ihre Datei ist angekommen, aber ich kann hier keine Dateien lesen. Können Sie mir in Worten sagen, worum "
        "es geht?",
        "fr": "J'ai bien reçu votre fichier, mais je ne peux pas lire de fichiers ici. Pouvez-vous me dire en mots de "
        "quoi il s'agit ?",
        "es": "He recibido su archivo, pero aquí no puedo leer archivos. ¿Puede decirme con palabras de qué se trata?",
    },
}


# --- what customers say --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WordLists:
    """Language -> phrases. `human` may stand inside a longer message; the others must be the whole of it."""

    cancel: Mapping[str, tuple[str, ...]]
    help: Mapping[str, tuple[str, ...]]
    human: Mapping[str, tuple[str, ...]]
    thanks: Mapping[str, tuple[str, ...]]


def is_thanks(text: str) -> bool:
    """Whether the whole message is a thank-you or a goodbye, in any language."""
    said = " ".join(_WORD.findall(text.casefold()))
    return not said or any(said == phrase.casefold() for phrases in WORDS.thanks.values() for phrase in phrases)


_WORD = re.compile(r"[^\W_]+")


def _phrases(**lists: str) -> Mapping[str, tuple[str, ...]]:
    return {
        language: tuple(phrase.strip() for phrase in phrases.split(",")) for language, phrases in lists.items()
    }


WORDS = WordLists(
    cancel=_phrases(
        en="cancel, cancel that, cancel this, stop, stop that, abort, never mind, nevermind, forget it, quit, leave it",
        de="abbrechen, abbruch, stopp, stop, vergiss es, vergessen Sie es, lass es, nicht mehr nötig",
        fr="annuler, annule, annulez, stop, arrête, arrêtez, laisse tomber, laissez tomber, oubliez, peu importe",
        es="cancelar, cancela, cancele, parar, para, detener, olvídalo, olvídelo, déjalo, déjelo, no importa",
        it="annulla, annullare, stop, fermati, basta, lascia perdere, lasci perdere, non importa",
        nl="annuleren, annuleer, stop, stoppen, laat maar, vergeet het, afbreken",
        pt="cancelar, cancela, cancele, parar, pare, deixa para lá, deixe para lá, esquece, esqueça, não importa",
    ),
    help=_phrases(
        en="help, help me, what can you do, what can you help with, what can I ask, options, menu, commands",
        de="hilfe, hilf mir, was kannst du, was können Sie, was kann ich fragen, wobei können Sie helfen, menü, befehle",
        fr="aide, aidez-moi, aide-moi, que peux-tu faire, que pouvez-vous faire, que savez-vous faire, menu, options",
        es="ayuda, ayúdame, ayúdeme, qué puedes hacer, qué puede hacer, en qué puedes ayudarme, menú, opciones",
        it="aiuto, aiutami, mi aiuti, cosa sai fare, cosa puoi fare, che cosa può fare, menù, menu, opzioni",
        nl="help, hulp, help mij, help me, wat kun je, wat kan je, wat kunt u, menu, opties",
        pt="ajuda, ajude-me, me ajuda, me ajude, o que você pode fazer, o que sabe fazer, o que podes fazer, menu, opções",
    ),
    thanks=_phrases(
        en="thanks, thank you, thank you very much, thanks a lot, many thanks, thx, ty, ok, okay, ok thanks, okay thanks, "
        "ok thank you, great, great thanks, perfect, perfect thanks, bye, goodbye, all good, that helped, thanks bye, "
        "thank you so much, awesome, cheers, got it, got it thanks",
        de="danke, danke schön, dankeschön, vielen dank, herzlichen dank, besten dank, ok, okay, ok danke, okay danke, "
        "super, super danke, perfekt, perfekt danke, alles klar, alles klar danke, tschüss, auf wiedersehen, prima, "
        "prima danke, passt",
        fr="merci, merci beaucoup, merci bien, mille mercis, ok, d accord, ok merci, d accord merci, parfait, "
        "parfait merci, super, super merci, au revoir, merci au revoir, bonne journée",
        es="gracias, muchas gracias, mil gracias, ok, vale, vale gracias, ok gracias, perfecto, perfecto gracias, genial, "
        "genial gracias, adiós, hasta luego, de acuerdo",
        it="grazie, grazie mille, ok, ok grazie, perfetto, va bene, arrivederci",
        nl="bedankt, dank je, dank u, dankjewel, dank u wel, oké, ok, top, tot ziens",
        pt="obrigado, obrigada, muito obrigado, muito obrigada, ok, perfeito, tchau",
    ),
    human=_phrases(
        en="talk to a human, speak to a human, talk with a human, speak with a human, chat with a human, "
        "talk to a person, speak to a person, talk to a real person, speak to a real person, real person, "
        "real human, actual human, actual person, talk to someone, speak to someone, speak with someone, "
        "talk to somebody, speak to somebody, human agent, live agent, real agent, human being please, "
        "talk to an agent, speak to an agent, speak with an agent, connect me to an agent, "
        "speak to a representative, talk to a representative, speak with a representative, "
        "speak to an advisor, talk to customer service, speak to customer service, speak to your manager, "
        "speak to a manager, talk to a manager, get me a human, want a human, need a human, "
        "want an agent, need an agent, transfer me to a human, put me through to someone",
        de="mit einem Menschen sprechen, mit einem Menschen reden, mit einem Menschen schreiben, "
        "einen echten Menschen, einem echten Menschen, echter Mensch, mit einer echten Person, mit einer Person sprechen, "
        "mit jemandem sprechen, mit jemandem reden, mit einem Mitarbeiter, mit einer Mitarbeiterin, "
        "mit einem Mitarbeitenden, mit einem Berater, mit einer Beraterin, mit dem Kundenservice sprechen, "
        "mit dem Kundendienst sprechen, mit dem Support sprechen, menschlichen Ansprechpartner, "
        "menschlicher Ansprechpartner, menschlichen Mitarbeiter, ich will einen Menschen, ich möchte einen Menschen, "
        "mit dem Chef sprechen, mit Ihrem Vorgesetzten, verbinden Sie mich mit",
        fr="parler à un humain, parler avec un humain, parler à une personne, parler avec une personne, une vraie personne, "
        "un vrai humain, parler à quelqu'un, parler avec quelqu'un, parler à un conseiller, parler avec un conseiller, "
        "parler à une conseillère, parler à un agent, parler avec un agent, un agent humain, un conseiller humain, "
        "parler au service client, parler à un responsable, mettez-moi en relation avec",
        es="hablar con un humano, hablar con una persona, hablar con alguien, una persona real, un humano real, "
        "persona de verdad, hablar con un agente, agente humano, un agente real, hablar con un asesor, "
        "hablar con un operador, hablar con un representante, hablar con atención al cliente, "
        "hablar con el servicio de atención, hablar con un responsable, páseme con, pásame con",
        it="parlare con un umano, parlare con una persona, una persona reale, una persona vera, parlare con qualcuno, "
        "parlare con un operatore, operatore umano, parlare con un agente, parlare con un addetto, "
        "parlare con un consulente, parlare con il servizio clienti, parlare con un responsabile",
        nl="met een mens praten, met een mens spreken, met een persoon praten, met een persoon spreken, een echt persoon, "
        "een echte persoon, een echt mens, met iemand praten, met iemand spreken, met een medewerker, "
        "menselijke medewerker, een medewerker spreken, iemand spreken, met de klantenservice praten, "
        "met de klantenservice spreken",
        pt="falar com um humano, falar com uma pessoa, uma pessoa real, pessoa de verdade, falar com alguém, "
        "falar com um atendente, falar com uma atendente, atendente humano, falar com um agente, agente humano, "
        "falar com um operador, falar com o suporte humano, falar com um responsável, falar com um representante",
    ),
)
