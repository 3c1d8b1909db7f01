/*
 * columns.c
 *		What a column is, by its name.
 *
 * The names are those of Jira, Azure DevOps, GitHub, GitLab, Linear, Trello and
 * ActionableAgile, of process mining, and plain ones, in several languages.
 * They are compared by their letters and digits, without case and accents.
 * Names that no list has are judged by the words in them.
 */
#include "csv/columns.h"

#include <stdio.h>
#include <string.h>

#include "csv/fold.h"

/* Names of one role: best first.  A tier ends with an empty name. */
static const char *const item_names[] = {
	"caseid", "itemid", "workitemid", "issuekey", "issueid", "key", "id", "issuenumber", "issue", "ticket", "ticketid", "ticketkey",
	"ticketnumber", "ticketno", "incident", "incidentid", "cardid", "card", "storyid", "taskid", "taskkey", "item", "workitem", "case",
	"caseconceptname", "externalid", "reference", "identifier", "issueiid", "iid", "number", "ref", "task", "story", "itemkey",
	"request", "requestid", "requestnumber", "requestno", "feature", "featureid", "bug", "bugid", "defect", "defectid", "pbi", "pbiid", "orderid", "ordernumber",
	"jobid", "recordid", "uid", "uuid", "guid", "code", "cardnumber", "ticketref", "epickey", "n\xC2\xBA", "no",
	/* German */
	"vorgangsschlussel", "schlussel", "vorgangsid", "vorgangsnummer", "vorgangsnr", "vorgang", "ticketnummer", "ticketnr", "nummer", "nr",
	"aufgabenid", "aufgabe", "kartenid", "karte", "auftragsnummer", "auftrag", "fallid", "fall", "kennung", "elementid",
	/* French */
	"cledeticket", "cledelademande", "cle", "clef", "identifiant", "numerodeticket", "numero", "demande", "tache", "carte", "idticket",
	"cleduticket", "numeroticket", "cledutiquet",
	/* Portuguese, Spanish, Italian */
	"chavedaitem", "chavedoitem", "chavedeitem", "chavedaincidencia", "chavedopedido", "chavedoticket", "chave", "identificador", "codigo",
	"tarefa", "cartao", "chamado", "pendencia", "clavedelaincidencia", "clavedeincidencia", "clavedelticket", "clave", "incidencia", "tarea",
	"tarjeta", "caso", "chiave", "chiavedelticket", "identificativo", "attivita", "scheda", "iddotarefa", "iddeltarea",
	/* Dutch, Polish, Swedish, Danish, Norwegian; Russian, Chinese, Japanese */
	"sleutel", "taak", "kaart", "zaak", "zaaknummer", "klucz", "numer", "zadanie", "zgloszenie", "arende", "nyckel", "sag", "sak", "oppgave",
	"\xD0\xBA\xD0\xBB\xD1\x8E\xD1\x87", "\xD0\xBD\xD0\xBE\xD0\xBC\xD0\xB5\xD1\x80", "\xD0\xB7\xD0\xB0\xD0\xB4\xD0\xB0\xD1\x87\xD0\xB0",
	"nogle", "avain", "\xE7\xBC\x96\xE5\x8F\xB7", "\xE5\xB7\xA5\xE5\x8D\x95", "\xE8\xAA\xB2\xE9\xA1\x8C\xE3\x82\xAD\xE3\x83\xBC", "\xE3\x82\xAD\xE3\x83\xBC", "",
	"url", "link", "permalink", NULL
};

static const char *const stage_names[] = {
	"stage", "tostage", "tostatus", "newstatus", "tostate", "newstate", "newstage", "to", "newvalue", "tostring", "tovalue", "listafter",
	"tolist", "tocolumn", "newlist", "newcolumn", "statusafter", "stateafter", "statusto", "after", "changelogto", "itemstostring",
	"changelogtostring", "changelogitemstostring",
	"neuerstatus", "nachstatus", "statusneu", "neuerwert", "neuerzustand", "nach", "nachliste", "nouveaustatut", "nouveletat", "nouvellevaleur",
	"vers", "statutapres", "nuevoestado", "estadonuevo", "nuevovalor", "hacia", "novostatus", "novoestado", "novovalor", "para", "nuovostato",
	"nieuwestatus", "naar", "nowystatus", "",
	"status", "state", "statusname", "statename", "stagename", "workflowstate", "workflowstatus", "column", "columnname", "boardcolumn", "list",
	"listname", "phase", "step", "issuestatus", "ticketstatus", "itemstatus",
	"zustand", "stand", "spalte", "schritt", "stufe", "liste", "bearbeitungsstatus", "bearbeitungsstand", "vorgangsstatus", "bucket", "bucketname", "section",
	"statut", "etat", "etape", "colonne", "estado", "etapa", "fase", "columna", "lista", "situacao", "coluna", "stato", "colonna", "toestand",
	"kolom", "lijst", "stan", "etap", "kolumna", "tillstand", "kolumn", "tilstand", "kolonne",
	"\xD1\x81\xD1\x82\xD0\xB0\xD1\x82\xD1\x83\xD1\x81", "\xD1\x81\xD0\xBE\xD1\x81\xD1\x82\xD0\xBE\xD1\x8F\xD0\xBD\xD0\xB8\xD0\xB5",
	"\xD1\x8D\xD1\x82\xD0\xB0\xD0\xBF", "\xE7\x8A\xB6\xE6\x80\x81", "\xE9\x98\xB6\xE6\xAE\xB5", "\xE7\x8A\xB6\xE6\x85\x8B",
	"\xE3\x82\xB9\xE3\x83\x86\xE3\x83\xBC\xE3\x82\xBF\xE3\x82\xB9", "",
	"activity", "activityname", "conceptname", "lane", "event", "eventname", "action", "aktivitat", "activite", "actividad", "atividade", NULL
};

static const char *const time_names[] = {
	"enteredat", "entered", "enteredon", "enteredstageat", "changelogcreated", "changelogscreated", "historycreated", "historiescreated",
	"changelogdate", "changedat", "changed", "changeddate", "changedon", "changedate", "changetime", "statuschangedat", "statuschangedate",
	"statechangedate", "statechangedat", "transitionedat", "transitiondate", "transitiontime", "transitioned", "movedat", "moved", "movedon",
	"movedate", "eventtime", "eventdate", "eventtimestamp", "occurredat", "occurred", "occurredon", "happenedat", "loggedat",
	"geandertam", "geandert", "anderungsdatum", "anderungszeit", "gewechseltam", "statuswechselam", "statuswechsel", "wechseldatum",
	"verschobenam", "eingetretenam", "eintritt", "modifiele", "changele", "datedechangement", "dateduchangement", "datedemodification",
	"datadamudanca", "datademudanca", "datadealteracao", "datadaalteracao", "alteradoem", "mudadoem", "movidoem", "modificadoem",
	"fechadecambio", "fechadelcambio", "cambiadoel", "modificadoel", "movidoel", "fechademodificacion", "fechadetransicion",
	"datadimodifica", "modificatoil", "gewijzigdop", "gewijzigd", "zmieniono", "datazmiany", "andrad", "aendret", "",
	"timestamp", "datetime", "date", "time", "at", "when", "on", "timetimestamp", "dateandtime", "datum", "zeit", "zeitpunkt", "zeitstempel",
	"wann", "datumuhrzeit", "datumzeit", "horodatage", "dateheure", "quand", "dateetheure", "fecha", "fechayhora", "fechahora", "cuando", "momento",
	"data", "dataehora", "datahora", "quando", "dataora", "tijdstip", "tijd", "datumtijd", "czas", "tidpunkt", "tid", "dato",
	"\xD0\xB4\xD0\xB0\xD1\x82\xD0\xB0", "\xD0\xB2\xD1\x80\xD0\xB5\xD0\xBC\xD1\x8F", "\xE6\x97\xA5\xE6\x9C\x9F", "\xE6\x97\xB6\xE9\x97\xB4",
	"\xE6\x97\xA5\xE6\x99\x82", "",
	"starttime", "start", "startdate", "starttimestamp", "startedat", "begin", "beginn", "startzeit", "debut", "inicio", "inizio", "",
	"updated", "updatedat", "updatedon", "updateddate", "modified", "modifiedat", "modifiedon", "modifieddate", "lastmodified", "lastupdated",
	"lastchanged", "aktualisiert", "aktualisiertam", "misajour", "misajourle", "actualizado", "actualizada", "atualizado",
	"atualizadoem", "atualizadoa", "actualizadoa", "aggiornato", "bijgewerkt", "zaktualizowano", "uppdaterad", "oppdatert", "opdateret",
	"datademodificacao", "\xD0\xBE\xD0\xB1\xD0\xBD\xD0\xBE\xD0\xB2\xD0\xBB\xD0\xB5\xD0\xBD\xD0\xBE", "\xE6\x9B\xB4\xE6\x96\xB0\xE6\x97\xB6\xE9\x97\xB4",
	"\xE6\x9B\xB4\xE6\x96\xB0\xE6\x97\xA5\xE6\x99\x82", "", NULL
};

static const char *const created_names[] = {
	"created", "createdat", "createddate", "createdon", "creationdate", "datecreated", "issuecreated", "createdatutc", "erstellt", "erstelltam",
	"angelegt", "angelegtam", "erstelldatum", "cree", "creele", "creee", "datedecreation", "creado", "creada", "creadoel", "fechadecreacion",
	"criado", "criada", "criadoem", "datadecriacao", "creato", "creatoil", "aangemaakt", "aangemaaktop", "utworzono", "skapad", "oprettet", NULL
};

static const char *const type_names[] = {
	"type", "issuetype", "workitemtype", "itemtype", "tickettype", "cardtype", "kind", "category", "tracker", "typ", "vorgangstyp",
	"aufgabentyp", "tickettyp", "art", "kategorie", "typedeticket", "typededemande", "typedelademande", "categorie", "genre", "tipo", "tipodeitem",
	"tipodeincidencia", "tipodeticket", "tipodetarea", "tipodetarefa", "tipodopedido", "tipodelaincidencia", "categoria", "tipodaitem", "soort",
	"tipodiattivita", "rodzaj", "\xD1\x82\xD0\xB8\xD0\xBF", "\xE7\xB1\xBB\xE5\x9E\x8B", "\xE3\x82\xBF\xE3\x82\xA4\xE3\x83\x97", NULL
};

static const char *const title_names[] = {
	"title", "summary", "name", "subject", "cardname", "issuetitle", "itemname", "taskname", "headline", "card", "titel", "zusammenfassung",
	"betreff", "bezeichnung", "titre", "resume", "sujet", "nom", "titulo", "resumo", "assunto", "nome", "resumen", "asunto", "nombre", "titolo",
	"oggetto", "riepilogo", "samenvatting", "onderwerp", "naam", "tytul", "nazwa", "podsumowanie", "rubrik", "\xE6\xA0\x87\xE9\xA2\x98",
	"\xE4\xBB\xB6\xE5\x90\x8D", NULL
};

static const char *const field_names[] = {
	"field", "fieldname", "changedfield", "fieldchanged", "changelogfield", "historyfield", "itemfield", "itemsfield", "changelogitemsfield", "property",
	"attribute", "feld", "feldname", "geandertesfeld", "champ", "champmodifie", "campo", "campoalterado", "campomodificado", "veld", "pole",
	"\xD0\xBF\xD0\xBE\xD0\xBB\xD0\xB5", NULL
};

static const char *const from_names[] = {
	"from", "fromstatus", "oldstatus", "previousstatus", "prevstatus", "fromstate", "oldstate", "previousstate", "fromstage", "previousstage",
	"oldstage", "fromstring", "oldvalue", "fromvalue", "listbefore", "fromlist", "fromcolumn", "oldlist", "statusbefore", "before", "statusfrom",
	"changelogfrom", "changelogfromstring", "itemsfromstring", "changelogitemsfromstring",
	"alterstatus", "vonstatus", "statusalt", "vorherigerstatus", "altstatus", "alterwert", "von", "vonliste", "ancienstatut", "ancienetat",
	"statutprecedent", "anciennevaleur", "estadoanterior", "valoranterior", "statusanterior", "estadoantiguo", "statoprecedente", "oudestatus",
	"van", "desde", "de", NULL
};

static const char *const sequence_names[] = {
	"revision", "rev", "revisionnumber", "revisionno", "systemrev", "sequence", "seq", "sequencenumber", "seqno", "seqnum", "ordinal",
	"changelogid", "historyid", "transitionid", "eventid", "eventnumber", "eventno", "changeid", "changenumber", "revisionsnummer",
	"laufendenummer", "lfdnr", "lfd", "reihenfolge", "numeroderevision", "revisao", "numerodarevisao", "numeroderevisao", "secuencia", "sequencia",
	"sequenza", "revisione", NULL
};

static const char *const *const names_of[N_COLUMN_ROLES] = {
	item_names, stage_names, time_names, type_names, title_names, field_names, from_names, created_names, sequence_names
};

static int	rank_in(const char *key, const char *const *names);
static int	rank_by_words(const Words *words, ColumnRole role);

/* What the name is worth as that role: less is better; NO_RANK: nothing. */
int
vsm_column_rank(const char *name, ColumnRole role)
{
	char		key[128];
	Words		words;
	int			rank;

	/* A number that "Status 2" has because the file has two such columns does not matter: it is compared as it stands. */
	vsm_fold(name, strlen(name), FOLD_LETTERS, key, sizeof key);
	rank = rank_in(key, names_of[role]);
	if (rank < NO_RANK)
		return rank;
	if (role == ROLE_ITEM && (strcmp(name, "#") == 0 || strcmp(name, "\xE2\x84\x96") == 0))
		return TIER_SIZE - 1;
	if (role == ROLE_TIME && rank_in(key, created_names) < NO_RANK)
		return 4 * TIER_SIZE + rank_in(key, created_names);
	vsm_fold_words(name, strlen(name), &words);
	return rank_by_words(&words, role);
}

static int
rank_in(const char *key, const char *const *names)
{
	int			tier = 0;

	for (int i = 0; names[i] != NULL; i++)
		if (names[i][0] == '\0')
			tier++;
		else if (strcmp(names[i], key) == 0)
			return tier * TIER_SIZE + i;
	return NO_RANK;
}

/* Behind all tiers of the lists. */
static int
rank_by_words(const Words *words, ColumnRole role)
{
	static const char *const of_others =
		"parent|project|user|author|assignee|member|actor|board|team|sprint|epic|creator|reporter|owner|customer|account|event|history|change|"
		"transition|revision|organization|workspace|projekt|projet|projeto|proyecto|person|commit|pull|label|linked|milestone|iteration|cycle";
	static const char *const of_former = "previous|prev|old|from|before|former|last|vorherig*|alt|alter|ancien*|precedent*|anterior|antiguo";

	switch (role)
	{
		case ROLE_ITEM:
			if (vsm_has_any_word(words, of_others))
				return NO_RANK;
			return vsm_has_any_word(words, "id|key|number|nummer|nr|no|cle|clave|chave|numero|schlussel|ticket|issue") &&
				!vsm_has_any_word(words, "type|typ|tipo|status|state|url|link|date|title|of|priority|count|points")
					   ? 5 * TIER_SIZE
					   : NO_RANK;
		case ROLE_STAGE:
			if (vsm_has_any_word(words, of_former) || vsm_has_any_word(words, of_others) ||
				vsm_has_any_word(words, "category|categorie|kategorie|reason|color|colour|date|time|at|on|check|code|id|url|count"))
				return NO_RANK;
			return vsm_has_any_word(words, "status|state|stage|statut|etat|estado|zustand|stato|column|spalte|list|phase|etapa")
					   ? 3 * TIER_SIZE
					   : NO_RANK;
		case ROLE_TIME:
			if (vsm_has_any_word(words, "zone|spent|estimate|tracking|logged|remaining"))
				return NO_RANK;
			if (vsm_has_any_word(words, "transition*|changed|moved|entered|change|geandert|gewechselt|verschoben|modifie|changement|mudanca|"
								 "cambio|cambiado|alterado|movido"))
				return TIER_SIZE - 1;
			return vsm_has_any_word(words, "date|time|timestamp|datum|zeit|zeitpunkt|zeitstempel|uhrzeit|fecha|hora|data|heure|horodatage|utc|gmt")
					   ? 2 * TIER_SIZE - 1
					   : NO_RANK;
		case ROLE_TYPE:
			return vsm_has_any_word(words, "type|typ|tipo") && vsm_has_any_word(words, "item|issue|work|ticket|card|task|vorgang|element")
					   ? TIER_SIZE
					   : NO_RANK;
		case ROLE_TITLE:
		case ROLE_FIELD:
		case ROLE_FROM:
		case ROLE_CREATED:
		case ROLE_SEQUENCE:
		case N_COLUMN_ROLES:
		default:
			return NO_RANK;
	}
}

/* A date of a plan, or of something else than the item. */
bool
vsm_column_is_plan(const char *name)
{
	Words		words;

	vsm_fold_words(name, strlen(name), &words);
	return vsm_has_any_word(&words,
							"due|duedate|target|targetdate|planned|plan|estimated|estimate|expected|baseline|deadline|forecast|viewed|snoozed|snooze|reminder|"
							"birthday|sla|cycle|sprint|iteration|project|milestone|epic|parent|imported|exported|synced|report|retrieved|scheduled|"
							"fallig|falligkeit|falligkeitsdatum|falligam|termin|solltermin|ziel|zieldatum|geplant|geplantes|frist|"
							"echeance|prevu|prevue|vencimento|vencimiento|prazo|prevista|previsto|plazo|limite|scadenza|vervaldatum|termijn|custom field|category");
}

/* Of a plan or of the work: what stands beside it tells. */
bool
vsm_column_is_start_date(const char *name)
{
	static const char *const names = "|startdate|startdatum|starttermin|datededebut|fechadeinicio|datadeinicio|datadiinizio|begindatum|";
	char		key[40];
	char		padded[44];

	if (vsm_fold(name, strlen(name), FOLD_LETTERS, key, sizeof key) == 0)
		return false;
	snprintf(padded, sizeof padded, "|%s|", key);
	return strstr(names, padded) != NULL;
}

/* A date of the last change, whatever it was. */
bool
vsm_column_is_last_change(const char *name)
{
	Words		words;

	vsm_fold_words(name, strlen(name), &words);
	return vsm_has_any_word(&words,
							"last|latest|updated|update|modified|changed|change|archived|aktualisiert|aktualisierung|geandert|letzte|letzter|letztes|"
							"archiviert|dernier|derniere|misajour|mise|modifie|modifiee|archive|atualizado|atualizada|actualizado|actualizada|modificado|"
							"modificada|ultima|ultimo|aggiornato|modificato|bijgewerkt|gewijzigd|arquivado|archivado|zaktualizowano|uppdaterad|oppdatert|opdateret");
}

/* A name of the doors' own: case_id, stage, entered_at, type, title. */
bool
vsm_column_is_plain(const char *name, ColumnRole role)
{
	static const char *const plain[] = {"caseid", "stage", "enteredat", "type", "title"};
	char		key[128];

	vsm_fold(name, strlen(name), FOLD_LETTERS, key, sizeof key);
	return role <= ROLE_TITLE && strcmp(key, plain[role]) == 0;
}

/*
 * vsm_column_stage
 *		The stage that a column of dates is named for: "Closed Date", "closed_at" and "Date closed" are closed.
 *
 * It is a part of the name, of that length.
 */
size_t
vsm_column_stage(const char *name, const char **stage)
{
	static const char *const before[] = {"date of ", "date ", "time ", "timestamp ", "entered ", "moved to ", "datum ", "date de ", "date d'", "fecha de ",
										 "data de ", "data do ", "data da ", NULL};
	static const char *const behind[] = {" date", " time", " timestamp", " at", " on", " am", " (utc)", " (gmt)", " datum", " le", " el", " em", " il", " op",
										 " since", " from", " seit", " ab", " depuis", " desde", " dal", " sinds", " vanaf",
										 " date/time", " datetime", NULL};
	char		folded[256];
	size_t		length = strlen(name);
	bool		changed = true;

	vsm_trim(&name, &length);
	while (changed)
	{
		changed = false;
		for (size_t i = 0; i < length && i < sizeof folded - 1; i++)
		{
			char		c = name[i];

			folded[i] = (char) (c == '_' || c == '-' ? ' ' : (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
		}
		folded[length < sizeof folded ? length : sizeof folded - 1] = '\0';
		for (int i = 0; !changed && before[i] != NULL; i++)
		{
			size_t		n = strlen(before[i]);

			if (n < length && strncmp(folded, before[i], n) == 0)
			{
				name += n;
				length -= n;
				changed = true;
			}
		}
		for (int i = 0; !changed && behind[i] != NULL; i++)
		{
			size_t		n = strlen(behind[i]);

			if (n < length && length < sizeof folded && strncmp(folded + length - n, behind[i], n) == 0)
			{
				length -= n;
				changed = true;
			}
		}
		vsm_trim(&name, &length);
	}
	*stage = name;
	return length;
}

/* Is this the name of the field that holds the stage, in a changelog of all fields? */
bool
vsm_field_is_status(const char *value, size_t length)
{
	static const char *const words = "|status|state|stage|systemstate|statut|etat|estado|zustand|stato|stan|workflowstatus|workflowstate|situacao|"
		"boardcolumn|systemboardcolumn|column|list|spalte|\xE7\x8A\xB6\xE6\x80\x81|\xE7\x8A\xB6\xE6\x85\x8B|"
		"\xE3\x82\xB9\xE3\x83\x86\xE3\x83\xBC\xE3\x82\xBF\xE3\x82\xB9|\xD1\x81\xD1\x82\xD0\xB0\xD1\x82\xD1\x83\xD1\x81|";
	char		key[40];
	char		padded[44];

	if (length > 36 || vsm_fold(value, length, FOLD_LETTERS, key, sizeof key) == 0)
		return false;
	snprintf(padded, sizeof padded, "|%s|", key);
	return strstr(words, padded) != NULL;
}
