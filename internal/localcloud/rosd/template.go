package rosd

import (
	"maps"
	"slices"
)

// formatVersion is the only version of templates that ROS has.
const formatVersion = "2015-09-01"

// A template is one that is being read.
type template struct {
	request  Request
	problems *problems

	values     map[string]any // of the parameters, by their declared types
	conditions map[string]any // as written
	resources  map[string]*resource
	outputs    map[string]string
}

// A resource of the template, with its properties once they are asked for.
type resource struct {
	id, path   string
	kind       kind
	kindName   string
	wanted     bool // its condition holds
	written    object
	properties object
	state      resolution
}

type resolution int

const (
	unresolved resolution = iota
	resolving
	resolved
)

// read takes the document apart: parameters, then conditions, then what depends on both.
func (t *template) read(document object) {
	top := t.mapping("template", document, "ROSTemplateFormatVersion", "Description", "Parameters", "Conditions", "Resources", "Outputs")
	if version := t.text("ROSTemplateFormatVersion", top["ROSTemplateFormatVersion"]); version != formatVersion {
		t.problems.add("ROSTemplateFormatVersion", "%q is not %q", version, formatVersion)
	}
	t.text("Description", top["Description"])
	t.readParameters(t.mapping("Parameters", top["Parameters"]))
	t.conditions = t.mapping("Conditions", top["Conditions"])
	for _, name := range slices.Sorted(maps.Keys(t.conditions)) {
		t.condition("Conditions."+name, name, nil)
	}
	t.readResources(t.mapping("Resources", top["Resources"]))
	for _, id := range t.ids() {
		t.resolveResource(t.resources[id])
	}
	t.outputs = map[string]string{}
	outputs := t.mapping("Outputs", top["Outputs"])
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		path := "Outputs." + name
		output := t.mapping(path, outputs[name], "Description", "Value")
		t.text(path+".Description", output["Description"])
		t.outputs[name] = t.text(path+".Value", t.resolve(path+".Value", output["Value"]))
	}
}

func (t *template) readResources(all object) {
	t.resources = map[string]*resource{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		path := "Resources." + id
		m := t.mapping(path, all[id], "Type", "Condition", "DeletionPolicy", "DependsOn", "Properties")
		r := &resource{id: id, path: path, kindName: t.text(path+".Type", m["Type"]), wanted: true}
		var known bool
		if r.kind, known = kinds[r.kindName]; !known {
			t.problems.add(path+".Type", "%q is not a known type", r.kindName)
			continue
		}
		r.written = t.mapping(path+".Properties", m["Properties"], r.kind.properties()...)
		for _, name := range r.kind.required {
			if r.written[name] == nil {
				t.problems.add(path+".Properties."+name, "missing")
			}
		}
		if name := t.text(path+".Condition", m["Condition"]); name != "" {
			r.wanted = t.condition(path+".Condition", name, nil)
		}
		if keep := t.text(path+".DeletionPolicy", m["DeletionPolicy"]); !slices.Contains([]string{"", "Retain", "Delete"}, keep) {
			t.problems.add(path+".DeletionPolicy", "%q is neither Retain nor Delete", keep)
		}
		if other := t.text(path+".DependsOn", m["DependsOn"]); other != "" && all[other] == nil {
			t.problems.add(path+".DependsOn", "there is no resource %s", other)
		}
		t.resources[id] = r
	}
}

// ids are those of the resources that are made, in order.
func (t *template) ids() []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(t.resources)) {
		if t.resources[id].wanted {
			ids = append(ids, id)
		}
	}
	return ids
}

// resolveResource fills in the properties of a resource, once.
func (t *template) resolveResource(r *resource) {
	if r.state != unresolved {
		return
	}
	r.state = resolving
	r.properties, _ = t.resolve(r.path+".Properties", r.written).(object)
	r.state = resolved
}
