/*
 * categories.c
 *		The category of a stage, by its name.
 *
 * In the words of trackers in several languages; folded (fold.c), so without
 * accents.  Whether a name that may be either is done is decided by where items
 * stay: see stages.c.
 */
#include <stdio.h>
#include <string.h>

#include "csv/recognition.h"

static bool is_abandoned(const char *name);
static size_t plain_text(const char *name, char *text, size_t size);
static size_t skip_ending(const char *text);
static size_t abandoned_word(const char *text);
static bool is_letter(char c);

static const char done_words[] =
	"done|close|closed|release|released|resolved|production|complete|completed|finished|deployed|delivered|live|shipped|archived|verified|merged|accomplished|"
	"erledigt|fertig|abgeschlossen|geschlossen|gelost|behoben|ausgeliefert|veroffentlicht|produktiv|umgesetzt|beendet|freigegeben|"
	"termine|terminee|fini|finie|ferme|fermee|resolu|resolue|livre|livree|clos|close|cloture|cloturee|acheve|en production|deploye|"
	"concluido|concluida|concluidos|feito|feita|fechado|fechada|finalizado|finalizada|entregue|resolvido|resolvida|em producao|publicado|"
	"hecho|hecha|terminado|terminada|cerrado|cerrada|completado|completada|completo|entregado|resuelto|resuelta|listo|en produccion|"
	"finalizados|concluidas|itens concluidos|terminados|"
	"fatto|completato|completata|chiuso|chiusa|risolto|rilasciato|consegnato|finito|in produzione|"
	"klaar|gereed|afgerond|gesloten|opgelost|voltooid|opgeleverd|gotowe|zakonczone|zamkniete|zrobione|klar|klart|slutfort|avslutad|fardig|stangd|ferdig|lukket|faerdig|valmis|"
	"\xD0\xB3\xD0\xBE\xD1\x82\xD0\xBE\xD0\xB2\xD0\xBE|\xD0\xB7\xD0\xB0\xD0\xBA\xD1\x80\xD1\x8B\xD1\x82\xD0\xBE|"
	"\xD0\xB2\xD1\x8B\xD0\xBF\xD0\xBE\xD0\xBB\xD0\xBD\xD0\xB5\xD0\xBD\xD0\xBE|\xD0\xB7\xD0\xB0\xD0\xB2\xD0\xB5\xD1\x80\xD1\x88\xD0\xB5\xD0\xBD\xD0\xBE|"
	"\xE5\xAE\x8C\xE6\x88\x90|\xE5\xB7\xB2\xE5\xAE\x8C\xE6\x88\x90|\xE5\xAE\x8C\xE4\xBA\x86|\xE5\x85\xB3\xE9\x97\xAD|\xE5\xB7\xB2\xE5\x85\xB3\xE9\x97\xAD";

/* The whole name; wherever items go on from it. */
static const char surely_done[] =
	"|done|closed|complete|completed|finished|erledigt|fertig|abgeschlossen|geschlossen|termine|terminee|fini|ferme|fermee|concluido|concluida|feito|"
	"fechado|fechada|finalizado|hecho|hecha|terminado|terminada|cerrado|cerrada|completado|completada|fatto|completato|chiuso|klaar|gereed|afgerond|"
	"gesloten|gotowe|klar|ferdig|\xD0\xB3\xD0\xBE\xD1\x82\xD0\xBE\xD0\xB2\xD0\xBE|\xE5\xAE\x8C\xE6\x88\x90|\xE5\xB7\xB2\xE5\xAE\x8C\xE6\x88\x90|"
	"\xE5\xAE\x8C\xE4\xBA\x86|\xE5\x85\xB3\xE9\x97\xAD|\xE5\xB7\xB2\xE5\x85\xB3\xE9\x97\xAD|";

static const char wait_words[] =
	"new|open|opened|reopened|backlog|to do|todo|wait*|await*|blocked|on hold|onhold|hold|ready|queue|queued|inbox|pending|paused|suspended|created|"
	"submitted|reported|requested|request|proposed|selected|approved|accepted|idea|ideas|triage|triaged|planned|scheduled|prioritized|prioritised|"
	"to be|not started|next|upcoming|icebox|parked|deferred|postponed|later|options|intake|unstarted|assigned|committed|refined|stalled|up next|incoming|"
	"neu|neue|neuer|offen|offene|geoffnet|warte*|wartend|angefordert|ausgewahlt|bereit|blockiert|geplant|idee|ideen|eingang|angelegt|erstellt|gemeldet|"
	"angenommen|genehmigt|zuruckgestellt|pausiert|vorgeschlagen|zu erledigen|zu tun|noch nicht begonnen|wiedereroffnet|anstehend|eingegangen|beauftragt|"
	"a faire|nouveau|nouvelle|ouvert|ouverte|en attente|attente|bloque|bloquee|pret|prete|demande|demandee|selectionne|selectionnee|idee|idees|cree|creee|"
	"planifie|planifiee|a traiter|rouvert|accepte|acceptee|valide|propose|"
	"tarefas pendentes|a fazer|novo|nova|aberto|aberta|aguardando|espera|bloqueado|bloqueada|pronto|pronta|selecionado|selecionada|solicitado|solicitada|ideia|ideias|criado|"
	"criada|pendente|planejado|fila|reaberto|para fazer|aprovado|"
	"por hacer|nuevo|nueva|abierto|abierta|en espera|esperando|pendiente|pendientes|lista para|listo para|solicitado|seleccionado|seleccionada|idea|creado|"
	"creada|planificado|cola|reabierto|aprobado|"
	"tareas por hacer|da completare|da fare|nuovo|nuova|aperto|aperta|in attesa|bloccato|richiesto|selezionato|creato|pianificato|da iniziare|"
	"te doen|nieuw|nieuwe|openstaand|wacht*|geblokkeerd|wachtend|aangevraagd|do zrobienia|nowe|nowy|otwarte|oczekuje|zablokowane|"
	"att gora|ny|nya|oppen|vantar|vanter|venter|apen|aben|apne|blockerad|"
	"\xD0\xBD\xD0\xBE\xD0\xB2\xD0\xB0\xD1\x8F|\xD0\xBD\xD0\xBE\xD0\xB2\xD1\x8B\xD0\xB9|\xD0\xBE\xD1\x82\xD0\xBA\xD1\x80\xD1\x8B\xD1\x82\xD0\xBE|"
	"\xD0\xBA \xD0\xB2\xD1\x8B\xD0\xBF\xD0\xBE\xD0\xBB\xD0\xBD\xD0\xB5\xD0\xBD\xD0\xB8\xD1\x8E|\xD0\xBE\xD0\xB6\xD0\xB8\xD0\xB4\xD0\xB0\xD0\xBD\xD0\xB8\xD0\xB5|"
	"\xE5\xBE\x85*|\xE6\x9C\xAA\xE7\x9D\x80\xE6\x89\x8B|\xE6\x96\xB0\xE5\xBB\xBA";

static const char active_words[] =
	"in progress|progress|doing|wip|active|activated|start|started|development|develop|dev|review|reviewing|test|testing|qa|design|designing|build|building|verify|verification|"
	"implement|implementing|implementation|analysis|analyse|analyze|analysing|analyzing|coding|code|work|working|fix|fixing|in work|investigating|investigation|deploy|"
	"deploying|validation|validate|uat|refinement|specification|integration|check|checking|underway|rework|execution|"
	"in uberprufung|uberprufung|klarung|in klarung|in arbeit|arbeit|bearbeitung|in bearbeitung|entwicklung|entwurf|umsetzung|prufung|begonnen|gestartet|laufend|aktiv|analyse|abnahme|konzeption|realisierung|"
	"en cours|revue|developpement|conception|realisation|verification|recette|commence|demarre|"
	"em andamento|andamento|em progresso|fazendo|revisao|desenvolvimento|teste|testes|analise|homologacao|iniciado|construcao|execucao|validacao|"
	"en curso|curso|en progreso|progreso|haciendo|revision|desarrollo|pruebas|prueba|analisis|diseno|construccion|validacion|iniciado|"
	"in corso|in lavorazione|sviluppo|revisione|progettazione|verifica|"
	"bezig|in behandeling|behandeling|in beoordeling|beoordeling|ontwikkeling|uitvoering|w toku|w trakcie|testy|pagaende|pagar|igang|i gang|arbeid|utveckling|granskning|"
	"\xD0\xB2 \xD1\x80\xD0\xB0\xD0\xB1\xD0\xBE\xD1\x82\xD0\xB5|\xE8\xBF\x9B\xE8\xA1\x8C\xE4\xB8\xAD|\xE6\xB5\x8B\xE8\xAF\x95\xE4\xB8\xAD|\xE5\xBC\x80\xE5\x8F\x91\xE4\xB8\xAD|\xE9\x80\xB2\xE8\xA1\x8C\xE4\xB8\xAD";

/* certain is false for a name that no list has, which is then taken to be active. */
VsmCategory
vsm_category_of(const char *name, bool *certain)
{
	Words		words;

	*certain = true;
	if (is_abandoned(name))
		return VSM_DISCARDED;
	vsm_fold_words(name, strlen(name), &words);
	/* "Not done", "Not started" */
	if (!vsm_has_any_word(&words, "not|nicht|non|no|nao|niet") && vsm_has_any_word(&words, done_words) &&
		!vsm_has_any_word(&words, "waiting for|wait for|ready for|ready to|to be|bereit fur|pret pour|listo para|lista para|pronto para|pronto per|klaar voor"))
		return VSM_DONE;
	if (vsm_has_any_word(&words, wait_words))
		return VSM_WAIT;
	*certain = vsm_has_any_word(&words, active_words);
	return VSM_ACTIVE;
}

/* An end, when items stay there and no stage follows; else they wait for what follows. */
bool
vsm_category_is_approval(const char *name)
{
	Words		words;

	vsm_fold_words(name, strlen(name), &words);
	return vsm_has_any_word(&words, "accepted|approved|signed off|abgenommen|freigegeben|accepte|acceptee|approuve|valide|validee|aceito|aprovado|aceptado|"
							"aprobado|approvato|geaccepteerd|goedgekeurd");
}

bool
vsm_category_is_surely_done(const char *name)
{
	char		key[64];
	char		padded[68];

	if (vsm_fold(name, strlen(name), FOLD_LETTERS, key, sizeof key) == 0)
		return false;
	snprintf(padded, sizeof padded, "|%s|", key);
	return strstr(surely_done, padded) != NULL;
}

/* Abandoned by name, but items may go back to work from there. */
bool
vsm_category_may_return(const char *name)
{
	Words		words;

	vsm_fold_words(name, strlen(name), &words);
	return vsm_has_any_word(&words, "reject*|declin*|invalid*|ungultig|abgelehnt|refus*|rejet*|rejeit*|recus*|rechaz*|rifiut*|respint*|afgewez*|odrzuc*|"
							"\xE6\x8B\x92\xE7\xBB\x9D|\xE5\xB7\xB2\xE6\x8B\x92\xE7\xBB\x9D|\xE5\x8D\xB4\xE4\xB8\x8B");
}

/*
 * is_abandoned
 *		Is this what trackers call the end of work that is given up?
 *
 * "Closed as duplicate", "Resolved: won't fix", "5. Cancelled", "Cancelled by customer", "Abandoned (no answer)",
 * "Duplicate / invalid"; but not "Duplicate check" or "Done, not cancelled".
 */
static bool
is_abandoned(const char *name)
{
	static const char *const links[] = {" / ", "/", " , ", ", ", " + ", "+", " & ", "&", " or ", " and ", " oder ", " und ", " ou ", " et ", " o ", " y ", " e ", NULL};
	char		text[256];
	const char *at = text;
	size_t		n;

	plain_text(name, text, sizeof text);
	while (*at != '\0' && !is_letter(*at))
		at++;
	n = abandoned_word(at);
	if (n == 0)
	{
		at += skip_ending(at);
		n = abandoned_word(at);
	}
	if (n == 0)
		return false;
	at += n;
	for (int i = 0; links[i] != NULL; i++)
		if (strncmp(at, links[i], strlen(links[i])) == 0 && (n = abandoned_word(at + strlen(links[i]))) > 0)
		{
			at += strlen(links[i]) + n;
			i = -1;
		}
	{
		static const char *const causes[] = {"by", "due", "because", "of", "from", "with", "after", "durch", "von", "wegen", "par", "por", "pelo", "pela", "per", "da",
											 "item", "items", "issue", "issues", "ticket", "tickets", "work", NULL};

		for (int i = 0; *at == ' ' && causes[i] != NULL; i++)
		{
			size_t		length = strlen(causes[i]);

			if (strncmp(at + 1, causes[i], length) == 0 && !is_letter(at[1 + length]))
				return true;
		}
	}
	if (strchr("(:,;|", *(at + (*at == ' '))) != NULL)
		return true;
	while (*at != '\0' && !is_letter(*at) && !(*at >= '0' && *at <= '9'))
		at++;
	return *at == '\0';
}

/* Lower case without accents and apostrophes; a blank for blanks, _ and -, and ": " for a dash between blanks. */
static size_t
plain_text(const char *name, char *text, size_t size)
{
	const char *end = name + strlen(name);
	size_t		n = 0;

	while (name < end && n + 8 < size)
	{
		const char *begin = name;
		unsigned int c = vsm_utf8_read(&name, end);

		if (c == 0x2013 || c == 0x2014 || (c == '-' && n > 0 && text[n - 1] == ' ' && *name == ' '))
		{
			if (n > 0 && text[n - 1] == ' ')
				n--;
			text[n++] = ':';
		}
		else if (vsm_is_blank(c) || c == '_' || c == '-')
		{
			if (n > 0 && text[n - 1] != ' ')
				text[n++] = ' ';
		}
		else if (c < 0x80 && !is_letter((char) (c | 0x20)))
		{
			if (c != '\'' && c != '`')
				text[n++] = (char) c;
		}
		else
			n += vsm_fold(begin, (size_t) (name - begin), FOLD_WORDS, text + n, 8);
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	return n;
}

/* "closed as ", "resolved: ", "done (": what may stand before. */
static size_t
skip_ending(const char *text)
{
	static const char *const endings[] = {"closed", "close", "resolved", "done", "completed", "complete", "finished", "marked", "geschlossen", "erledigt", "fermee",
										  "ferme", "clos", "classee", "classe", "cerrado", "cerrada", "fechado", "fechada", "chiuso", "chiusa", NULL};
	static const char *const as[] = {"as ", "because ", "als ", "weil ", "comme ", "como ", "come ", NULL};

	for (int i = 0; endings[i] != NULL; i++)
	{
		size_t		n = strlen(endings[i]);
		size_t		gap;

		if (strncmp(text, endings[i], n) != 0)
			continue;
		gap = strspn(text + n, "] :;.(|");
		if (gap == 0)
			continue;
		n += gap;
		for (int k = 0; as[k] != NULL; k++)
			if (strncmp(text + n, as[k], strlen(as[k])) == 0)
				return n + strlen(as[k]);
		return n;
	}
	return 0;
}

/* How long the longest of these words is that stands here, whole; * is for an ending of up to two letters. */
static size_t
abandoned_word(const char *text)
{
	static const char words[] =
		"cancelled|canceled|cancel|wont do|wont fix|wontdo|wontfix|wont implement|will not do|will not fix|will not implement|not doing|not planned|not needed|"
		"cannot reproduce|not reproducible|as designed|works as designed|not a bug|out of scope|expired|superseded|aborted|revoked|voided|no longer needed|"
		"nicht reproduzierbar|kein fehler|non reproductible|duplicate*|dupe*|abandoned|rejected|declined|obsolete|invalid|discarded|dropped|withdrawn|removed|deleted|"
		"abgebrochen|abbruch|storniert|verworfen|abgelehnt|duplikat*|dublette|doppelt|zuruckgezogen|aufgegeben|hinfallig|obsolet|ungultig|nicht geplant|"
		"wird nicht gemacht|wird nicht umgesetzt|wird nicht behoben|wird nicht erledigt|entfallt|geloscht|annulliert|"
		"annule*|abandonne*|rejete*|refuse*|doublon*|duplique*|obsolete*|invalide*|retire*|supprime*|ecarte*|sans suite|non planifie*|ne sera pas fait*|"
		"ne sera pas corrige*|cancelad*|anulad*|rechazad*|descartad*|duplicad*|abandonad*|obsolet*|invalid*|retirad*|desestimad*|eliminad*|no se hara|"
		"no se corregira|no planificad*|rejeitad*|recusad*|excluid*|nao sera feit*|nao sera corrigid*|nao planejad*|"
		"annullat*|rifiutat*|respint*|scartat*|duplicat*|abbandonat*|geannuleerd|afgewezen|vervallen|verworpen|anulowan*|odrzucon*|avbrut*|avbrutt|annulleret|"
		"\xE5\x8F\x96\xE6\xB6\x88|\xE5\xB7\xB2\xE5\x8F\x96\xE6\xB6\x88|\xE6\x8B\x92\xE7\xBB\x9D|\xE5\xB7\xB2\xE6\x8B\x92\xE7\xBB\x9D|\xE6\x94\xBE\xE5\xBC\x83|"
		"\xE5\xB7\xB2\xE6\x94\xBE\xE5\xBC\x83|\xE5\xBA\x9F\xE5\xBC\x83|\xE5\xB7\xB2\xE5\xBA\x9F\xE5\xBC\x83|\xE3\x82\xAD\xE3\x83\xA3\xE3\x83\xB3\xE3\x82\xBB\xE3\x83\xAB|"
		"\xE5\x8D\xB4\xE4\xB8\x8B|\xD0\xBE\xD1\x82\xD0\xBC\xD0\xB5\xD0\xBD\xD0\xB5\xD0\xBD\xD0\xBE|\xD0\xBE\xD1\x82\xD0\xBA\xD0\xBB\xD0\xBE\xD0\xBD\xD0\xB5\xD0\xBD\xD0\xBE";
	size_t		best = 0;

	for (const char *word = words, *next; word != NULL; word = next)
	{
		const char *end = strchr(word, '|');
		size_t		n = strcspn(word, "*|");
		bool		open = word[n] == '*';

		next = end == NULL ? NULL : end + 1;
		if (strncmp(text, word, n) == 0)
		{
			for (int more = 0; open && more < 2 && is_letter(text[n]); more++)
				n++;
			if (!is_letter(text[n]) && n > best)
				best = n;
		}
	}
	return best;
}

/* Of any alphabet; folded. */
static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (unsigned char) c >= 0x80;
}
