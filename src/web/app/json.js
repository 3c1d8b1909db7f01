/*
 * json.js
 *		Reading texts that may be no JSON.
 */

export function asJson(text)
{
	try
	{
		return JSON.parse(text);
	}
	catch (error)
	{
		return undefined;
	}
}
