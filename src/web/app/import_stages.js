/*
 * import_stages.js
 *		What the stages of a file are to become: their order, their categories, and which names mean one stage.
 *
 * It begins as the proposal of the service and goes back to it as its parameters stages
 * and aliases.  Sources are the names as the file writes them; a row is a stage, with
 * the sources that mean it; sources that mean no move belong to no row.
 */

/* Names are the same in any case and with any blanks, as they are to the service. */
export const fold = name => name.trim().replace(/\s+/g, ' ').toLowerCase();

/* defined: the stages that the stream has, in order; they keep their places and categories there. */
export function importStages(proposal, defined = [])
{
	const known = new Map(defined.map((stage, n) => [fold(stage.name), {...stage, place: n}]));
	const sources = proposal.stages.map(stage => ({name: stage.name, spellings: stage.spellings ?? [], moves: stage.moves, category: stage.category}));
	let rows = proposal.stages.map((stage, n) => row(stage.name, stage.category, stage.guessed, [sources[n]], stage));
	let out = [];

	function row(name, category, guessed, of, counts = {moves: of.reduce((sum, source) => sum + source.moves, 0), remain: null})
	{
		const there = known.get(fold(name));

		return {name: there?.name ?? name, category: there?.category ?? category, guessed: !there && guessed, defined: Boolean(there), sources: of,
			moves: counts.moves, remain: counts.remain};
	}

	/* The defined ones in their own order, at the places that they have among the others. */
	function settle()
	{
		const ordered = rows.filter(({defined: there}) => there).toSorted((a, b) => known.get(fold(a.name)).place - known.get(fold(b.name)).place);

		rows = rows.map(one => one.defined ? ordered.shift() : one);
	}

	settle();

	return {
		get rows() { return rows; },
		get out() { return out; },

		move(n, to)
		{
			const [moved] = rows.splice(n, 1);

			rows.splice(Math.max(0, Math.min(rows.length, to)), 0, moved);
			settle();
		},

		categorise(n, category)
		{
			Object.assign(rows[n], {category, guessed: false});
		},

		/* The same name as another row: both are that stage.  No name: its sources are no moves.  Gives the row's place, or -1. */
		rename(n, name)
		{
			const wanted = name.trim().replace(/\s+/g, ' '), old = rows[n], other = rows.findIndex((one, k) => k !== n && fold(one.name) === fold(wanted));

			if (wanted === '')
			{
				out.push(...old.sources);
				rows.splice(n, 1);
				return -1;
			}
			if (other < 0)
			{
				rows[n] = row(wanted, old.category, old.guessed, old.sources, old);
				settle();
				return rows.findIndex(one => one.sources === old.sources);
			}
			rows[other] = row(rows[other].name, rows[other].category, rows[other].guessed, [...rows[other].sources, ...old.sources]);
			rows.splice(n, 1);
			return other > n ? other - 1 : other;
		},

		/* A source of several becomes a stage of its own again. */
		split(n, source)
		{
			rows[n] = row(rows[n].name, rows[n].category, rows[n].guessed, rows[n].sources.filter(one => one !== source));
			rows.splice(n + 1, 0, row(source.name, source.category, false, [source]));
			settle();
		},

		takeBack(source)
		{
			out = out.filter(one => one !== source);
			rows.push(row(source.name, source.category, false, [source]));
			settle();
		},

		/* Counts and guesses as the service sees them now; false: it sees other stages. */
		adopt(answer)
		{
			const seen = new Map(answer.stages.map(stage => [fold(stage.name), stage]));

			if (seen.size !== rows.length || !rows.every(({name}) => seen.has(fold(name))))
				return false;
			for (const one of rows)
				Object.assign(one, {moves: seen.get(fold(one.name)).moves, remain: seen.get(fold(one.name)).remain});
			return true;
		},

		/* Of a request: nothing where the proposal stands as it is. */
		parameters()
		{
			const aliases = {}, set = (source, name) => [source.name, ...source.spellings].forEach(text => {
				if (!Object.keys(aliases).some(key => fold(key) === fold(text)))
					aliases[text] = name;
			});

			rows.forEach(({name, defined: there, sources: of}) => of.filter(source => there ? fold(source.name) !== fold(name) : source.name !== name)
				.forEach(source => set(source, name)));
			out.forEach(source => set(source, null));

			const same = rows.length === proposal.stages.length
				&& rows.every(({name, category}, n) => name === proposal.stages[n].name && category === proposal.stages[n].category);

			return {
				stages: same ? null : JSON.stringify(rows.map(({name, category}) => ({name, category}))),
				aliases: Object.keys(aliases).length > 0 ? JSON.stringify(aliases) : null,
			};
		},
	};
}
