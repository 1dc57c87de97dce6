// Prints JSON values as YAML with the library that Crossplane's command line uses, at the versions it uses.
//
// In: one JSON value a line. Out: per line a JSON object with either "yaml" or "error".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// typed turns numbers into the types that unstructured objects have.
func typed(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		float, _ := value.Float64()
		return float
	case []any:
		for index := range value {
			value[index] = typed(value[index])
		}
	case map[string]any:
		for key := range value {
			value[key] = typed(value[key])
		}
	}
	return value
}

func answer(line []byte) map[string]string {
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(line)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return map[string]string{"error": "not JSON: " + err.Error()}
	}
	printed, err := yaml.Marshal(typed(value))
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	return map[string]string{"yaml": string(printed)}
}

func main() {
	const longestLine = 64 << 20
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		encoded, err := json.Marshal(answer(lines.Bytes()))
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(out, string(encoded))
	}
}
